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

// One certificate, and the folders that it stands in.
struct Held {
  std::string name;
  std::string role;
  std::string key;  // empty: there will be a new one
  pki::KeyType key_type = pki::KeyType::kEcdsaP256;
  uint32_t days = 0;
  std::vector<CertificateFolder> folders;
};

// What is renewed, by serial number: what one `cert issue` wrote to several folders is one
// certificate. And why the others are not.
struct Found {
  std::map<std::string, Held> all;
  std::vector<Error> left;
  std::set<std::string> partly;  // serial numbers of which a folder is left
};

uint32_t DaysOf(const pki::Description& certificate) {
  const auto life = certificate.not_after - certificate.not_before;
  return static_cast<uint32_t>(std::chrono::floor<std::chrono::days>(life).count());
}

Result<std::string> ReadKey(const CertificateFolder& folder, const Held& held) {
  auto key = ReadSecretFile(folder.key());
  if (key.has_value() || key.error().code != ErrorCode::kNotFound) return key;
  const std::string role = folder.administrators ? " --role admin" : "";
  return Error{ErrorCode::kNotFound,
               folder.key().native() +
                   " is not here, so the key was made elsewhere: 'outportctl cert issue " +
                   held.name + role + " --days " + std::to_string(held.days) +
                   " --csr FILE --out " + folder.path.native() +
                   "' with a request of that key renews the certificate"};
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
  Held held{.name = identity->name,
            .role = std::string(ToString(identity->role)),
            .key = {},
            .days = DaysOf(description),
            .folders = {folder}};
  TRY(held.key_type, pki::KeyTypeOf(pem));
  if (!new_key) {
    auto key = ReadKey(folder, held);
    if (!key.has_value()) {
      found.partly.insert(identity->serial);
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
    if (!read.has_value()) found.left.push_back(read.error());
  }
  return found;
}

Result<v1::IssueCertificateResponse> RenewOne(StoreClient& client, const RenewCertificates& options,
                                              const Held& held) {
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

// Somebody took it away: a renewal would give it back. (Not so where its whole issuer was
// replaced.)
Result<void> RefuseRevoked(StoreClient& client, const std::string& serial, const Held& held) {
  v1::GetCertificateRequest request;
  request.set_serial(serial);
  v1::CertificateInfo found;
  const Result<void> known = client.Call(&v1::Admin::Stub::GetCertificate, request, found,
                                         "looking at the certificate of '" + held.name + "'");
  if (!known.has_value() && known.error().code != ErrorCode::kNotFound) return known;
  if (!found.has_revocation() || found.revocation().serial() == kAllSerials) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the certificate of '" + held.name + "' (serial " + serial +
                   ") was revoked, and is not renewed: 'outportctl cert issue " + held.name +
                   "' makes another one, with another key"};
}

// Before anything is done: nobody revokes the certificate that he asks with.
Result<void> RefuseOwn(const StoreClient& client, const std::map<std::string, Held>& all) {
  TRY(const CertificateIdentity own, pki::Inspect(client.profile().identity.certificate_chain));
  if (!all.contains(own.serial)) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "--revoke-old: this is the certificate that you ask with; renew it without that, "
               "then revoke the older one: 'outportctl cert revoke " +
                   own.serial + "'"};
}

Result<void> RevokeOld(StoreClient& client, const std::string& serial, const Held& held,
                       bool partly) {
  const std::string what = "'" + held.name + "' was renewed, but the older certificate (serial " +
                           serial + ") not revoked";
  if (partly) {
    return Error{ErrorCode::kFailedPrecondition,
                 what + ": it still stands in a folder that was left"};
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
                       const std::string& serial, const Held& held, bool partly) {
  TRY_VOID(RefuseRevoked(client, serial, held));
  TRY(const v1::IssueCertificateResponse issued, RenewOne(client, options, held));
  boost::json::array places;
  for (const CertificateFolder& folder : held.folders) places.emplace_back(folder.path.native());
  table.Add({boost::json::value(held.name), boost::json::value(held.role),
             boost::json::value(ToTime(issued.row().not_after_ms())),
             boost::json::value(issued.row().serial()), boost::json::value(serial),
             boost::json::value(places)});
  return options.revoke_old ? RevokeOld(client, serial, held, partly) : Result<void>();
}

Error NotAll(const std::vector<Error>& left, bool others) {
  std::string text = others ? "what the table shows was renewed, but not all was done: " : "";
  for (size_t i = 0; i < left.size(); ++i) text += (i == 0 ? "" : "; ") + left[i].message;
  return Error{left.back().code, text};
}

// One that cannot be renewed keeps none of the others from it.
Result<void> Renew(const Invocation& invocation, const RenewCertificates& options) {
  TRY(const auto folders, FindCertificateFolders(options.path));
  Found found = Read(folders, options.new_key);
  if (found.all.empty()) return NotAll(found.left, false);
  TRY(StoreClient client, invocation.Connect());
  if (options.revoke_old) TRY_VOID(RefuseOwn(client, found.all));
  Table table({"name", "role", "not_after", "serial", "replaces", "folders"});
  bool away = false;  // the next would only wait for the store
  for (const auto& [serial, held] : found.all) {
    if (away) {
      found.left.push_back({ErrorCode::kUnavailable, "'" + held.name + "' was not tried any more"});
      continue;
    }
    const Result<void> renewed =
        RenewInto(table, client, options, serial, held, found.partly.contains(serial));
    if (renewed.has_value()) continue;
    found.left.push_back(renewed.error());
    away = renewed.error().code == ErrorCode::kUnavailable;
  }
  if (found.left.empty() || !table.empty()) invocation.Print(table);
  if (found.left.empty()) return {};
  return NotAll(found.left, !table.empty());
}

}  // namespace

void AddRenewCommand(const Command& family) {
  auto renewed = std::make_shared<RenewCertificates>();  // shared with the callback
  const Command renew = family.AddCommand(
      "renew",
      "Renew the certificates in a folder: for the same holder and as long as before. The key "
      "stays,\n"
      "so that a program never sees one that does not fit; the older certificate is good until "
      "its\n"
      "end, unless it is revoked.\n"
      "  outportctl cert renew ./certs.d\n"
      "  outportctl cert renew ~/.config/outport              # the profile itself");
  renew
      .AddOption("FOLDER", renewed->path,
                 "where 'cert issue' wrote: what stands in the folder itself, and in the folders "
                 "in it")
      .ShowDefault();
  renew.AddOption("--days", renewed->days, "how long it is valid (as long as the one before)");
  renew.AddFlag("--new-key", renewed->new_key, "make a new private key");
  renew.AddFlag("--revoke-old", renewed->revoke_old,
                "revoke the older one: other places that hold it lose their access");
  renew.Run(renewed, Renew);
}

}  // namespace outport::control
