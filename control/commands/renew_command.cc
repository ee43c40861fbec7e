#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <ostream>
#include <set>

#include "control/commands/certificate_folder.h"
#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/access.grpc.pb.h"
#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

struct RenewCertificates {
  std::string path = "./certs.d";
  uint32_t days = 0;
  bool new_key = false;
  bool revoke_old = false;
};

// A certificate to renew, and the folders that hold it.
struct Renewable {
  std::string name;
  std::string role;
  std::string key;  // empty: create a new key
  pki::KeyType key_type = pki::KeyType::kEcdsaP256;
  uint32_t days = 0;
  std::vector<CertificateFolder> folders;
};

// The certificates found in the folders, by serial number. One certificate may be in several
// folders, because `cert issue` can write it to several.
struct Found {
  std::map<std::string, Renewable> all;
  std::vector<Error> failures;       // one for each certificate that was not renewed
  std::set<std::string> incomplete;  // serials with a folder that cannot be renewed
};

uint32_t DaysOf(const pki::Description& certificate) {
  const auto life = certificate.not_after - certificate.not_before;
  return static_cast<uint32_t>(std::chrono::floor<std::chrono::days>(life).count());
}

Result<std::string> ReadKey(const CertificateFolder& folder, const Renewable& held) {
  auto key = ReadSecretFile(folder.key());
  if (key.has_value() || key.error().code != ErrorCode::kNotFound) return key;
  const std::string role = folder.administrators ? " --role admin" : "";
  return Error{ErrorCode::kNotFound,
               folder.key().native() +
                   " does not exist, so the key was created elsewhere; renew with a certificate "
                   "request of that key: 'outportctl cert issue " +
                   held.name + role + " --days " + std::to_string(held.days) +
                   " --csr FILE --out " + folder.path.native() + "'"};
}

Result<void> ReadInto(Found& found, const CertificateFolder& folder, bool new_key) {
  TRY(const std::string pem, ReadWholeFile(folder.certificate()));
  const auto identity = pki::Inspect(pem);
  if (!identity.has_value()) return Error(identity.error()).Within(folder.certificate().native());
  const auto known = found.all.find(identity->serial);
  if (known != found.all.end()) {
    known->second.folders.push_back(folder);
    return {};
  }
  TRY(const pki::Description description, pki::Describe(pem));
  Renewable held{.name = identity->name,
                 .role = std::string(ToString(identity->role)),
                 .key = {},
                 .days = DaysOf(description),
                 .folders = {folder}};
  TRY(held.key_type, pki::KeyTypeOf(pem));
  if (!new_key) {
    auto key = ReadKey(folder, held);
    if (!key.has_value()) {
      found.incomplete.insert(identity->serial);
      return key.error();
    }
    held.key = *std::move(key);
  }
  found.all.emplace(identity->serial, std::move(held));
  return {};
}

Found Read(const std::vector<CertificateFolder>& folders, bool new_key) {
  Found found;
  for (const CertificateFolder& folder : folders) {
    const Result<void> read = ReadInto(found, folder, new_key);
    if (!read.has_value()) found.failures.push_back(read.error());
  }
  return found;
}

Result<v1::IssueCertificateResponse> RenewOne(StoreClient& client, const RenewCertificates& options,
                                              const Renewable& held) {
  const std::string key = options.new_key ? pki::CreatePrivateKey(held.key_type) : held.key;
  v1::IssueCertificateRequest request;
  request.set_name(held.name);
  request.set_role(held.role);
  request.set_days(options.days == 0 ? held.days : options.days);
  TRY(*request.mutable_request(), pki::CreateRequest(key));
  v1::IssueCertificateResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::IssueCertificate, request, response,
                       "renewing the certificate of '" + held.name + "'"));
  for (const CertificateFolder& folder : held.folders) {
    TRY_VOID(
        folder.Write(options.new_key ? key : "", response.certificate(), response.authorities()));
  }
  return response;
}

// Checks that the certificate itself is not revoked: a renewal must not restore revoked access. The
// revocation of a whole issuing CA does not count. A rotation revokes the older CA, and the holders
// of its certificates have to renew.
Result<void> CheckNotRevoked(StoreClient& client, const std::string& serial,
                             const Renewable& held) {
  v1::GetCertificateRequest request;
  request.set_serial(serial);
  v1::CertificateInfo found;
  const Result<void> known = client.Call(&v1::Admin::Stub::GetCertificate, request, found,
                                         "reading the certificate of '" + held.name + "'");
  if (!known.has_value() && known.error().code != ErrorCode::kNotFound) return known;
  if (!found.has_revocation() || found.revocation().serial() == kAllSerials) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the certificate of '" + held.name + "' (serial " + serial +
                   ") is revoked and cannot be renewed; issue a new one: 'outportctl cert issue " +
                   held.name + "'"};
}

// For --revoke-old: fails if one of the certificates is the caller's own, because the caller would
// revoke its own access. Called before the first renewal.
Result<void> CheckNotOwn(const StoreClient& client, const std::map<std::string, Renewable>& all) {
  TRY(const CertificateIdentity own, pki::Inspect(client.profile().identity.certificate_chain));
  if (!all.contains(own.serial)) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "--revoke-old cannot revoke the certificate of this profile; renew without "
               "--revoke-old, then run 'outportctl cert revoke " +
                   own.serial + "'"};
}

Result<void> RevokeOld(StoreClient& client, const std::string& serial, const Renewable& held,
                       bool incomplete) {
  const std::string what = "'" + held.name + "' was renewed, but its older certificate (serial " +
                           serial + ") was not revoked";
  if (incomplete) {
    return Error{
        ErrorCode::kFailedPrecondition,
        what +
            ": a folder that was not renewed still holds it; renew that folder, then revoke the "
            "certificate with 'outportctl cert revoke " +
            serial + "'"};
  }
  v1::RevokeCertificateRequest request;
  request.set_serial(serial);
  v1::RevokeCertificateResponse response;
  const Result<void> revoked = client.Call(&v1::Access::Stub::RevokeCertificate, request, response,
                                           "revoking the certificate " + serial);
  if (revoked.has_value()) return {};
  return Error(revoked.error()).Within(what);
}

Result<void> RenewInto(Table& table, StoreClient& client, const RenewCertificates& options,
                       const std::string& serial, const Renewable& held, bool incomplete) {
  TRY_VOID(CheckNotRevoked(client, serial, held));
  TRY(const v1::IssueCertificateResponse issued, RenewOne(client, options, held));
  boost::json::array places;
  for (const CertificateFolder& folder : held.folders) places.emplace_back(folder.path.native());
  table.Add({boost::json::value(held.name), boost::json::value(held.role),
             boost::json::value(ToTime(issued.row().not_after_ms())),
             boost::json::value(issued.row().serial()), boost::json::value(serial),
             boost::json::value(places)});
  return options.revoke_old ? RevokeOld(client, serial, held, incomplete) : Result<void>();
}

Error Incomplete(const std::vector<Error>& failures, bool others) {
  std::string text = others ? "some certificates were not renewed: " : "";
  for (size_t i = 0; i < failures.size(); ++i) text += (i == 0 ? "" : "; ") + failures[i].message;
  return Error{failures.back().code, text};
}

// Renews every certificate of the folders. If one renewal fails, continues with the others, and
// returns all failures in one error.
Result<void> Renew(const Invocation& invocation, const RenewCertificates& options) {
  TRY(const auto folders, FindCertificateFolders(options.path));
  Found found = Read(folders, options.new_key);
  if (found.all.empty()) return Incomplete(found.failures, false);
  TRY(StoreClient client, invocation.Connect());
  if (options.revoke_old) TRY_VOID(CheckNotOwn(client, found.all));
  Table table({"name", "role", "expires", "serial", "replaced_serial", "folders"});
  bool unreachable = false;  // if so, skip the other certificates instead of waiting for each
  for (const auto& [serial, held] : found.all) {
    if (unreachable) {
      found.failures.push_back(
          {ErrorCode::kUnavailable,
           "'" + held.name + "' was skipped, because the store is unreachable"});
      continue;
    }
    const Result<void> renewed =
        RenewInto(table, client, options, serial, held, found.incomplete.contains(serial));
    if (renewed.has_value()) continue;
    found.failures.push_back(renewed.error());
    unreachable = renewed.error().code == ErrorCode::kUnavailable;
  }
  if (found.failures.empty() || !table.empty()) invocation.Print(table);
  if (found.failures.empty()) return {};
  return Incomplete(found.failures, !table.empty());
}

}  // namespace

void AddRenewCommand(const Command& family) {
  auto renewed = std::make_shared<RenewCertificates>();  // shared with the callback
  const Command renew = family.AddCommand(
      "renew",
      "Renew the certificates in a folder with the same name, role and lifetime. The key stays, "
      "so\n"
      "that programs always find a certificate that matches it. The older certificate stays valid\n"
      "until it expires or is revoked.\n"
      "  outportctl cert renew ./certs.d\n"
      "  outportctl cert renew ~/.config/outport              # the profile itself");
  renew
      .AddOption("FOLDER", renewed->path,
                 "Output of 'cert issue': the folder itself and its subfolders are renewed")
      .ShowDefault();
  renew.AddOption("--days", renewed->days, "Lifetime in days (default: as before)");
  renew.AddFlag("--new-key", renewed->new_key, "Create a new private key");
  renew.AddFlag("--revoke-old", renewed->revoke_old,
                "Revoke the older certificate; copies of it elsewhere lose access");
  renew.Run(renewed, Renew);
}

}  // namespace outport::control
