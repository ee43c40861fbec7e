#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/certificate_folder.h"
#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/new_password.h"
#include "registry/base/file.h"
#include "registry/base/secret.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDockersFolder = "./certs.d";
constexpr uint64_t kMaxRequestBytes = 64 << 10;
constexpr unsigned kSecretMode = 0600;

struct IssueCertificate {
  std::string name;
  std::string role = "client";
  std::vector<std::string> registries;  // host:port
  std::string out;                      // empty: docker's
  uint32_t days = 0;
  bool replace = false;
  std::string key_type = "ecdsa-p256";
  std::string csr;
  std::string pkcs12;

  bool IsForAdministrator() const { return role == "admin"; }
  // Docker's layout: certs.d/<host:port>/{ca.crt,client.cert,client.key}; or a profile. None if a
  // bundle alone is wanted.
  std::vector<CertificateFolder> Folders() const {
    if (!pkcs12.empty() && out.empty() && registries.empty()) return {};
    const fs::path base = out.empty() ? kDockersFolder : out;
    std::vector<CertificateFolder> folders;
    for (const std::string& registry : registries) folders.push_back({base / registry});
    if (folders.empty()) folders.push_back({base, IsForAdministrator()});
    return folders;
  }
};

Result<void> Check(const IssueCertificate& options) {
  TRY_VOID(ParseSubjectName(options.name));
  TRY_VOID(pki::ParseKeyType(options.key_type));
  if (options.IsForAdministrator() && !options.registries.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "--for is for clients' certificates: registries refuse an administrator's"};
  }
  if (options.IsForAdministrator() && options.out.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "an administrator's certificate makes a profile of outportctl; say in which "
                 "folder with --out DIR"};
  }
  for (const std::string& registry : options.registries) {
    if (registry.empty() || registry.contains('/') || registry.starts_with('.')) {
      return Error{ErrorCode::kInvalidArgument,
                   "'" + registry + "' is no registry: --for HOST:PORT, as in an image's name"};
    }
  }
  return {};
}

// The request, and the key that was made for it; empty if it was made elsewhere.
struct Asked {
  std::string request;
  std::string key;
};

Result<Asked> MakeRequest(const IssueCertificate& options) {
  Asked asked;
  if (!options.csr.empty()) {
    TRY(asked.request, ReadWholeFile(options.csr, kMaxRequestBytes));
    TRY_VOID(pki::KeyFingerprint(asked.request));  // before anything is written
    return asked;
  }
  TRY(const pki::KeyType type, pki::ParseKeyType(options.key_type));
  asked.key = pki::CreatePrivateKey(type);
  TRY(asked.request, pki::CreateRequest(asked.key));
  return asked;
}

Result<void> WriteFiles(const IssueCertificate& options, const Profile& profile,
                        const std::string& key, const v1::IssueCertificateResponse& issued) {
  for (const CertificateFolder& folder : options.Folders()) {
    if (options.IsForAdministrator()) {
      const Profile made{
          folder.path, profile.store, {issued.certificate(), key, issued.authorities()}};
      TRY_VOID(made.Save());
    } else {
      TRY_VOID(folder.Write(key, issued.certificate(), issued.authorities()));
    }
  }
  return {};
}

Result<void> WriteBundle(const IssueCertificate& options, const std::string& key,
                         const std::string& password, const v1::IssueCertificateResponse& issued) {
  if (options.pkcs12.empty()) return {};
  TRY(const std::string bundle,
      pki::ToPkcs12(issued.certificate() + issued.authorities(), key, options.name, password));
  return ReplaceFile(options.pkcs12, bundle, kSecretMode);
}

// What can fail is tried before the store issues anything.
Result<void> MakePlaces(const IssueCertificate& options) {
  for (const CertificateFolder& folder : options.Folders()) {
    TRY_VOID(folder.Prepare(options.csr.empty(), options.replace));
  }
  if (options.pkcs12.empty()) return {};
  std::error_code ignored;
  if (!options.replace && fs::exists(options.pkcs12, ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 options.pkcs12 + " is there already; choose another --pkcs12, or say --replace"};
  }
  return CheckReplaceable(options.pkcs12);
}

void Tell(const Invocation& invocation, const IssueCertificate& options,
          const v1::CertificateRow& row) {
  boost::json::array written;
  for (const CertificateFolder& folder : options.Folders()) {
    written.emplace_back(folder.path.native());
  }
  if (!options.pkcs12.empty()) written.emplace_back(options.pkcs12);
  const std::string until = ToTime(row.not_after_ms());
  std::string text;
  for (const auto& place : written) {
    text += (text.empty() ? "" : "\n") +
            ("certificate of '" + options.name + "', valid until " + until + ", written to ");
    text += place.as_string();
  }
  const boost::json::value document = {{"name", options.name},
                                       {"role", options.role},
                                       {"serial", row.serial()},
                                       {"not_after", until},
                                       {"folders", written}};
  invocation.Print(document, text);
}

Result<void> Issue(const Invocation& invocation, const IssueCertificate& options) {
  TRY_VOID(Check(options));
  TRY(StoreClient client, invocation.Connect());
  TRY_VOID(MakePlaces(options));
  TRY(Asked asked, MakeRequest(options));
  std::string password;
  if (!options.pkcs12.empty()) {
    TRY(password, ReadNewPassword(invocation.streams.input, invocation.streams.err));
  }
  v1::IssueCertificateRequest request;
  request.set_name(options.name);
  request.set_role(options.role);
  request.set_days(options.days);
  request.set_request(asked.request);
  v1::IssueCertificateResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::IssueCertificate, request, response,
                       "issuing a certificate to '" + options.name + "'"));
  TRY_VOID(WriteFiles(options, client.profile(), asked.key, response));
  TRY_VOID(WriteBundle(options, asked.key, password, response));
  Wipe(password);
  Wipe(asked.key);
  Tell(invocation, options, response.row());
  return {};
}

}  // namespace

void AddIssueCommand(const Command& family) {
  auto issued = std::make_shared<IssueCertificate>();  // shared with the callback
  const Command issue = family.AddCommand(
      "issue",
      "Issue a certificate. The key is made here and stays here.\n"
      "  outportctl cert issue desktop --for store.example.com:5000 --out /etc/docker/certs.d\n"
      "  outportctl cert issue anna --pkcs12 anna.p12         # for a keychain; asks for a "
      "password\n"
      "  outportctl cert issue ci --csr ci.csr --out ./ci     # the key was made elsewhere");
  issue.AddOption("NAME", issued->name, "of the machine or person that will hold it").Required();
  issue.AddOption("--for", issued->registries,
                  "HOST:PORT of a registry, again for more: each gets its folder, as docker "
                  "wants it");
  issue.AddOption("--out", issued->out, "where the files go [./certs.d]");
  issue.AddOption("--days", issued->days, "how long it is valid (the store's default is 365)")
      .Between(1, 1825);
  issue
      .AddOption("--role", issued->role,
                 "client, or admin: then --out becomes a profile of outportctl")
      .OneOf({"client", "admin"})
      .ShowDefault();
  const Option key_type =
      issue.AddOption("--key-type", issued->key_type, "ecdsa-p256, ecdsa-p384, rsa-2048, rsa-4096")
          .ShowDefault();
  const Option csr = issue.AddOption("--csr", issued->csr,
                                     "a PKCS#10 request (PEM) for a key that stays where it is; "
                                     "names in it do not count");
  const Option pkcs12 = issue.AddOption(
      "--pkcs12", issued->pkcs12,
      "write key and certificate to this PKCS#12 file, and to folders only if --for or --out says "
      "so; its password is asked for, or the first line of standard input");
  csr.Excludes(key_type).Excludes(pkcs12);
  issue.AddFlag("--replace", issued->replace,
                "replace the private key that stands in the folder; without it that is refused");
  issue.Run(issued, Issue);
}

}  // namespace outport::control
