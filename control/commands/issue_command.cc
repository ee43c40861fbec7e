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

constexpr const char* kDefaultFolder = "./certs.d";
constexpr uint64_t kMaxRequestBytes = 64 << 10;
constexpr unsigned kSecretMode = 0600;

struct IssueCertificate {
  std::string name;
  std::string role = "client";
  std::vector<std::string> registries;  // host:port
  std::string out;                      // empty: ./certs.d
  uint32_t days = 0;
  bool replace = false;
  std::string key_type = "ecdsa-p256";
  std::string csr;
  std::string pkcs12;

  bool IsForAdministrator() const { return role == "admin"; }
  // The output folders in docker's layout, certs.d/<host:port>/{ca.crt,client.cert,client.key}, or
  // the profile. Empty if the command writes only a PKCS#12 bundle.
  std::vector<CertificateFolder> Folders() const {
    if (!pkcs12.empty() && out.empty() && registries.empty()) return {};
    const fs::path base = out.empty() ? kDefaultFolder : out;
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
    return Error{
        ErrorCode::kInvalidArgument,
        "--for works only with --role client: registries reject administrator certificates"};
  }
  if (options.IsForAdministrator() && options.out.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        "an administrator certificate is written as an outportctl profile; name its folder "
        "with --out DIR"};
  }
  for (const std::string& registry : options.registries) {
    if (registry.empty() || registry.contains('/') || registry.starts_with('.')) {
      return Error{ErrorCode::kInvalidArgument,
                   "'" + registry + "' is not a registry; use --for HOST:PORT as in an image name"};
    }
  }
  return {};
}

// A certificate request and its key. The key is empty if it was created elsewhere (--csr).
struct KeyRequest {
  std::string request;
  std::string key;
};

Result<KeyRequest> MakeRequest(const IssueCertificate& options) {
  KeyRequest made;
  if (!options.csr.empty()) {
    TRY(made.request, ReadWholeFile(options.csr, kMaxRequestBytes));
    TRY_VOID(pki::KeyFingerprint(made.request));  // fails before the command writes a file
    return made;
  }
  TRY(const pki::KeyType type, pki::ParseKeyType(options.key_type));
  made.key = pki::CreatePrivateKey(type);
  TRY(made.request, pki::CreateRequest(made.key));
  return made;
}

Result<void> WriteFiles(const IssueCertificate& options, const Profile& profile,
                        const std::string& key, const v1::IssueCertificateResponse& issued) {
  for (const CertificateFolder& folder : options.Folders()) {
    if (options.IsForAdministrator()) {
      const Profile profile_of_admin{
          folder.path, profile.store, {issued.certificate(), key, issued.authorities()}};
      TRY_VOID(profile_of_admin.Save());
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

// Finds errors before the store issues a certificate.
Result<void> PrepareOutput(const IssueCertificate& options) {
  for (const CertificateFolder& folder : options.Folders()) {
    TRY_VOID(folder.Prepare(options.csr.empty(), options.replace));
  }
  if (options.pkcs12.empty()) return {};
  std::error_code ignored;
  if (!options.replace && fs::exists(options.pkcs12, ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 options.pkcs12 +
                     " already exists; choose another --pkcs12, or overwrite it with --replace"};
  }
  return CheckReplaceable(options.pkcs12);
}

void PrintIssued(const Invocation& invocation, const IssueCertificate& options,
                 const v1::CertificateRow& row) {
  boost::json::array written;
  for (const CertificateFolder& folder : options.Folders()) {
    written.emplace_back(folder.path.native());
  }
  if (!options.pkcs12.empty()) written.emplace_back(options.pkcs12);
  const std::string expires = ToTime(row.not_after_ms());
  std::string text;
  for (const auto& place : written) {
    text += (text.empty() ? "" : "\n") +
            ("certificate '" + options.name + "' issued, expires " + expires + ", written to ");
    text += place.as_string();
  }
  const boost::json::value document = {{"name", options.name},
                                       {"role", options.role},
                                       {"serial", row.serial()},
                                       {"expires", expires},
                                       {"paths", written}};
  invocation.Print(document, text);
}

Result<void> Issue(const Invocation& invocation, const IssueCertificate& options) {
  TRY_VOID(Check(options));
  TRY(StoreClient client, invocation.Connect());
  TRY_VOID(PrepareOutput(options));
  TRY(KeyRequest made, MakeRequest(options));
  std::string password;
  if (!options.pkcs12.empty()) {
    TRY(password, ReadNewPassword(invocation.streams.input, invocation.streams.err));
  }
  v1::IssueCertificateRequest request;
  request.set_name(options.name);
  request.set_role(options.role);
  request.set_days(options.days);
  request.set_request(made.request);
  v1::IssueCertificateResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::IssueCertificate, request, response,
                       "issuing a certificate to '" + options.name + "'"));
  TRY_VOID(WriteFiles(options, client.profile(), made.key, response));
  TRY_VOID(WriteBundle(options, made.key, password, response));
  Wipe(password);
  Wipe(made.key);
  PrintIssued(invocation, options, response.row());
  return {};
}

}  // namespace

void AddIssueCommand(const Command& family) {
  auto issued = std::make_shared<IssueCertificate>();  // shared with the callback
  const Command issue = family.AddCommand(
      "issue",
      "Issue a certificate. The private key is created on this machine and stays here.\n"
      "  outportctl cert issue desktop --for store.example.com:5000 --out /etc/docker/certs.d\n"
      "  outportctl cert issue anna --pkcs12 anna.p12         # for a keychain; asks for a "
      "password\n"
      "  outportctl cert issue ci --csr ci.csr --out ./ci     # for a key created elsewhere");
  issue.AddOption("NAME", issued->name, "Name of the machine or person").Required();
  issue.AddOption("--for", issued->registries,
                  "Registry HOST:PORT; repeatable. Writes a folder of this name for docker");
  issue.AddOption("--out", issued->out, "Output folder (default: ./certs.d)");
  issue.AddOption("--days", issued->days, "Lifetime in days (default: the store's, 365)")
      .Between(1, 1825);
  issue
      .AddOption("--role", issued->role,
                 "Role of the certificate; with admin, --out becomes an outportctl profile")
      .OneOf({"client", "admin"})
      .ShowDefault();
  const Option key_type = issue
                              .AddOption("--key-type", issued->key_type,
                                         "Key type: ecdsa-p256, ecdsa-p384, rsa-2048 or rsa-4096")
                              .ShowDefault();
  const Option csr = issue.AddOption(
      "--csr", issued->csr,
      "Certificate request (PKCS#10, PEM) of an existing key; the store ignores the names in it");
  const Option pkcs12 = issue.AddOption(
      "--pkcs12", issued->pkcs12,
      "Write key and certificate to this PKCS#12 file, and to folders only with --for or --out. "
      "Prompts for a password, or reads it from the first line of standard input");
  csr.Excludes(key_type).Excludes(pkcs12);
  issue.AddFlag("--replace", issued->replace, "Overwrite a private key that exists");
  issue.Run(issued, Issue);
}

}  // namespace outport::control
