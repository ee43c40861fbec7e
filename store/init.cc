#include "store/init.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "registry/base/address.h"
#include "registry/base/bytes.h"
#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/records/rows.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/access/access_follower.h"
#include "store/audit/row_json.h"
#include "store/authority/admin_profile.h"
#include "store/authority/authority_files.h"
#include "store/authority/certificates.h"
#include "store/store_format.h"

namespace outport::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kEpochBytes = 16;
constexpr unsigned kConfigMode = 0644;

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Result<void> Complete(InitOptions& options) {
  if (options.host_names.empty()) {
    return Error{ErrorCode::kInvalidArgument, "a store needs at least one --name"};
  }
  std::error_code error;
  options.config.data = fs::absolute(options.config.data, error).lexically_normal();
  if (options.admin_folder.empty()) options.admin_folder = options.config.data / "admin";
  if (options.config_file.empty()) options.config_file = options.config.data / "store.yml";
  TRY(const HostPort listen, ParseHostPort(options.config.fleet_listen));
  const std::string& first = options.host_names.front();
  const bool v6 = first.find(':') != std::string::npos;
  if (options.config.fleet_address.empty()) {
    options.config.fleet_address =
        (v6 ? "[" + first + "]" : first) + ":" + std::to_string(listen.port);
  }
  TRY(const HostPort address, ParseHostPort(options.config.fleet_address));
  if (std::ranges::find(options.host_names, address.host) == options.host_names.end()) {
    return Error{
        ErrorCode::kInvalidArgument,
        "the fleet address " + options.config.fleet_address +
            " is not a name of the server certificate, so nodes would reject the store; add "
            "--name " +
            address.host};
  }
  const Result<void> named = pki::CheckHostNames(options.host_names);
  if (!named.has_value()) return Error(named.error()).Within("--name");
  const auto valid = ParseConfig(FormatConfig(options.config), options.config_file.filename());
  if (valid.has_value()) return {};
  return Error{ErrorCode::kInvalidArgument,
               "the options give an invalid configuration, so nothing was created: " +
                   valid.error().message};
}

// Checks that InitStore() can write the configuration file, which is its last step.
Result<void> CheckPaths(const InitOptions& options) {
  const fs::path folder = fs::absolute(options.config_file).lexically_normal().parent_path();
  if (folder / "" == options.config.data / "") return {};  // InitStore() creates this folder
  const Result<void> possible = CheckReplaceable(options.config_file);
  if (possible.has_value()) return {};
  return Error{possible.error().code,
               possible.error().message + "; create its folder, or choose another --config-out"};
}

Result<void> RequireNew(const InitOptions& options) {
  const fs::path& data = options.config.data;
  for (const fs::path& made :
       {options.config.PkiFolder(), options.config.MetaFolder(), data / "blobs"}) {
    if (!Exists(made)) continue;
    return Error{ErrorCode::kFailedPrecondition,
                 "the folder " + data.native() + " holds a store already (it has " +
                     made.filename().native() +
                     "/); serve it, choose another --data, or remove the folder if you do not need "
                     "it"};
  }
  if (!Exists(options.config_file)) return {};
  return Error{
      ErrorCode::kFailedPrecondition,
      options.config_file.native() + " exists already; choose another --config-out, or remove it"};
}

Result<void> Create(const InitOptions& options, FileSystem& files) {
  const Config& config = options.config;
  TRY(const pki::KeyType key_type, pki::ParseKeyType(options.key_type));
  const SystemClock clock;
  const Log log = Log::ToStandardError(LogLevel::kWarning);
  TRY_VOID(files.CreateDirectories(config.PkiFolder()));
  TRY_VOID(files.CreateDirectories(config.MetaFolder()));
  TRY_VOID(DataFormat::Create(config.data, kStoreFormats, options.version));
  TRY(const auto blobs, DiskBlobStore::Open(files, config.data, "uploads", BlobWrites::kDirect));
  TRY(AuthorityFiles authority, CreateAuthorityFiles(files, config.PkiFolder(), options.domain,
                                                     options.host_names, key_type));
  TRY(const std::unique_ptr<MetaStore> meta,
      OpenRocksMetaStore({.folder = config.MetaFolder()}, log));
  v1::StoreRow store;
  store.set_epoch(RandomHex(kEpochBytes));
  store.set_domain(options.domain);
  const Auditor auditor(Actor::Store(), clock);
  auto name_store = [&](MetaTransaction& transaction) {
    auditor.Add(transaction, "store.init", "store", nullptr, RowJson(store));
    return WriteRow(transaction, keys::kStore, store);
  };
  TRY_VOID(Transact(*meta, name_store));
  AccessDirectory directory;
  AccessFollower follower(*meta, directory);
  const Authorities authorities(TrustStateOf(authority.authority));
  Certificates certificates(*meta, authorities, follower, clock, log);
  TRY_VOID(CreateAdminProfile(files, options.admin_folder, options.admin_name, config.fleet_address,
                              certificates));
  return ReplaceFile(options.config_file, FormatConfig(config), kConfigMode);
}

}  // namespace

Result<InitSummary> InitStore(InitOptions options) {
  TRY_VOID(Complete(options));
  TRY_VOID(RequireNew(options));
  TRY_VOID(CheckPaths(options));
  PosixFileSystem files;
  const Result<void> folder = files.CreateDirectories(options.config.data);
  if (!folder.has_value()) {
    return Error{folder.error().code, folder.error().message + "; choose another --data"};
  }
  TRY(const FolderLock lock, FolderLock::Acquire(options.config.data));
  TRY_VOID(RequireNew(options));  // check again under the lock
  const bool had_admin = Exists(options.admin_folder);
  const Result<void> made = Create(options, files);
  if (!made.has_value()) {
    std::error_code ignored;
    for (const char* name : {"pki", "meta", "blobs", "uploads", "quarantine", "format"}) {
      fs::remove_all(options.config.data / name, ignored);
    }
    if (!had_admin) fs::remove_all(options.admin_folder, ignored);
    return made.error();
  }
  return InitSummary{options.config.data, options.config_file, options.admin_folder};
}

}  // namespace outport::store
