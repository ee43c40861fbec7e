#include "store/open_store.h"

#include <optional>
#include <system_error>
#include <utility>

#include "registry/base/address.h"
#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/access/htpasswd_users.h"
#include "store/authority/authority_recovery.h"
#include "store/authority/fleet_files.h"
#include "store/store_format.h"

namespace outport::store {
namespace {

Error NotInitialised(const std::filesystem::path& data) {
  return Error{ErrorCode::kFailedPrecondition, "the data folder " + data.native() +
                                                   " holds no store; 'outport-store init --data " +
                                                   data.native() + " --name HOST' makes one"};
}

Result<void> RequireInitialised(const std::filesystem::path& data) {
  Config config;
  config.data = data;
  std::error_code failure;
  const auto status = std::filesystem::status(config.MetaFolder(), failure);
  if (std::filesystem::is_directory(status)) return {};
  // After any other failure, such as a missing permission, nobody knows whether the folder exists.
  if (std::filesystem::status_known(status)) return NotInitialised(data);
  return Error{ErrorCode::kFailedPrecondition,
               "cannot read the data folder " + data.native() + ": " + failure.message() +
                   "; run this command as the user that owns the folder"};
}

// Checks that the store's certificate is for the fleet address. Nodes dial this address, which is
// in their invitation, and accept no certificate for another name.
Result<void> CheckFleetAddress(const Config& config, const std::string& server_chain) {
  TRY(const HostPort address, ParseHostPort(config.fleet_address));
  const Result<void> named = pki::CheckHost(server_chain, address.host);
  if (named.has_value()) return {};
  return Error{
      ErrorCode::kInvalidArgument,
      config.fleet_address_place + ": the store's certificate is not for '" + address.host +
          "', so nodes would reject the store; write a name from the certificate ('openssl "
          "x509 -noout -ext subjectAltName -in " +
          (config.PkiFolder() / "server.crt").native() + "' shows the names)"};
}

Result<LoadedCertificate> LoadRegistryCertificate(const Config& config,
                                                  const AuthorityFiles& authority,
                                                  const std::string& domain) {
  TRY(LoadedCertificate certificate,
      config.registry.Load(RegistryCertificateFiles(config), domain));
  TRY_VOID(CheckFleetAddress(config, authority.server_chain));
  return certificate;
}

}  // namespace

CertificateFiles RegistryCertificateFiles(const Config& config) {
  return config.registry.Files(config.PkiFolder(), kTrustBundleFile);
}

Result<DataFormat> ReadStoreFormat(const std::filesystem::path& data) {
  TRY_VOID(RequireInitialised(data));
  return DataFormat::Read(data, kStoreFormats);
}

Result<OpenedStore> OpenStore(const Config& config, FileSystem& files, const Log& log,
                              const std::string& version) {
  // Check the format before the lock, because the lock writes a file.
  TRY(DataFormat format, ReadStoreFormat(config.data));
  TRY(FolderLock lock, FolderLock::Acquire(config.data));
  // Read it again, because it cannot change under the lock.
  TRY(format, ReadStoreFormat(config.data));
  TRY(std::unique_ptr<MetaStore> meta,
      OpenRocksMetaStore({.folder = config.MetaFolder(), .ballast_bytes = config.ballast_bytes},
                         log));
  TRY(const auto row, ReadRow<v1::StoreRow>(*meta, keys::kStore));
  if (!row.has_value()) return NotInitialised(config.data);
  StoreIdentity identity{.epoch = row->epoch(), .domain = row->domain()};
  TRY(AuthorityFiles authority,
      RecoverAuthorityFiles(files, config.PkiFolder(), identity.domain, *meta));
  TRY(LoadedCertificate certificate, LoadRegistryCertificate(config, authority, identity.domain));
  TRY(auto blobs, DiskBlobStore::Open(files, config.data, "uploads", BlobWrites::kDirect));
  TRY_VOID(format.Raise(version, log));
  return OpenedStore{.lock = std::move(lock),
                     .meta = std::move(meta),
                     .blobs = std::move(blobs),
                     .identity = std::move(identity),
                     .authority = authority,
                     .certificate = std::move(certificate)};
}

Result<std::vector<std::string>> CheckStore(const Config& config) {
  TRY(const DataFormat format, ReadStoreFormat(config.data));
  // Pass no domain: it is in the metadata, which a running store has locked, and the files do not
  // depend on it. The store's certificate has it too.
  TRY(const AuthorityFiles authority, LoadAuthorityFiles(config.PkiFolder(), {}));
  TRY(const CertificateIdentity store, pki::Inspect(authority.server_chain));
  TRY(const LoadedCertificate certificate,
      LoadRegistryCertificate(config, authority, store.domain));
  const auto users = ReadHtpasswdFile(config.access.htpasswd_file);
  if (!users.has_value()) return Error(users.error()).Within("access.htpasswd_file");
  std::vector<std::string> warnings;
  if (users->empty() && !config.access.htpasswd_file.empty()) {
    warnings.push_back(config.access.htpasswd_file.native() +
                       " has no user; a store that follows users of this file keeps them");
  }
  return warnings;
}

}  // namespace outport::store
