#include <boost/json/object.hpp>
#include <ostream>

#include "control/invocation.h"
#include "registry/base/file.h"
#include "registry/security/pki.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDockersFolder = "./certs.d";

struct IssueCertificate {
  std::string name;
  std::string role = "client";
  std::vector<std::string> registries;  // host:port
  std::string out = kDockersFolder;
  uint32_t days = 0;
  bool replace = false;

  bool IsForAdministrator() const { return role == "admin"; }
  const char* KeyName() const { return IsForAdministrator() ? "admin.key" : "client.key"; }
  // Docker's layout: certs.d/<host:port>/{ca.crt,client.cert,client.key}; or a profile.
  std::vector<fs::path> Folders() const {
    std::vector<fs::path> folders;
    for (const std::string& registry : registries) folders.push_back(fs::path(out) / registry);
    if (folders.empty()) folders.emplace_back(out);
    return folders;
  }
};

Result<void> Check(const IssueCertificate& options) {
  TRY_VOID(ParseSubjectName(options.name));
  if (options.IsForAdministrator() && !options.registries.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "--for is for clients' certificates: registries refuse an administrator's"};
  }
  if (options.IsForAdministrator() && options.out == kDockersFolder) {
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

// Makes the folders, so that no certificate is issued that has no place.
Result<void> MakePlaces(const IssueCertificate& options) {
  PosixFileSystem files;
  std::error_code ignored;
  for (const fs::path& folder : options.Folders()) {
    const fs::path key = folder / options.KeyName();
    if (!options.replace && fs::exists(key, ignored)) {
      return Error{ErrorCode::kAlreadyExists,
                   key.native() +
                       " is there already, and no private key is replaced unasked; choose another "
                       "--out, or say --replace if nobody needs it"};
    }
  }
  for (const fs::path& folder : options.Folders()) {
    Result<void> possible = files.CreateDirectories(folder);
    if (possible.has_value()) possible = CheckReplaceable(folder / options.KeyName());
    if (possible.has_value()) continue;
    return Error{possible.error().code, possible.error().message + "; choose another --out"};
  }
  return {};
}

Result<void> WriteClient(const fs::path& folder, const std::string& key,
                         const v1::IssueCertificateResponse& issued) {
  TRY_VOID(ReplaceFile(folder / "client.key", key, 0600));
  TRY_VOID(ReplaceFile(folder / "client.cert", issued.certificate(), 0644));
  return ReplaceFile(folder / "ca.crt", issued.authorities(), 0644);
}

Result<void> WriteFiles(const IssueCertificate& options, const Profile& profile,
                        const std::string& key, const v1::IssueCertificateResponse& issued) {
  for (const fs::path& folder : options.Folders()) {
    if (!options.IsForAdministrator()) {
      TRY_VOID(WriteClient(folder, key, issued));
      continue;
    }
    const Profile made{folder, profile.store, {issued.certificate(), key, issued.authorities()}};
    TRY_VOID(made.Save());
  }
  return {};
}

Result<void> Issue(const Invocation& invocation, const IssueCertificate& options) {
  TRY_VOID(Check(options));
  TRY(StoreClient client, invocation.Connect());
  TRY_VOID(MakePlaces(options));
  const std::string key = pki::CreatePrivateKey();
  v1::IssueCertificateRequest request;
  request.set_name(options.name);
  request.set_role(options.role);
  request.set_days(options.days);
  TRY(*request.mutable_request(), pki::CreateRequest(key));
  v1::IssueCertificateResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::IssueCertificate, request, response,
                       "issuing a certificate to '" + options.name + "'"));
  TRY_VOID(WriteFiles(options, client.profile(), key, response));
  boost::json::array written;
  std::string text;
  const std::string until = ToTime(response.row().not_after_ms());
  for (const fs::path& folder : options.Folders()) {
    written.emplace_back(folder.native());
    text += (text.empty() ? "" : "\n") + ("certificate of '" + options.name + "', valid until " +
                                          until + ", written to " + folder.native());
  }
  const boost::json::value document = {{"name", options.name},
                                       {"role", options.role},
                                       {"serial", response.row().serial()},
                                       {"not_after", until},
                                       {"folders", written}};
  invocation.Print(document, text);
  return {};
}

Result<void> List(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table({"name", "role", "issued", "not_after", "issued_by", "serial"});
  auto one_page = [&](const v1::PageOf& page, std::string& next) -> Result<void> {
    v1::ListCertificatesRequest request;
    *request.mutable_page() = page;
    v1::ListCertificatesResponse response;
    TRY_VOID(client.Call(&v1::Admin::Stub::ListCertificates, request, response,
                         "listing the certificates"));
    for (const v1::CertificateRow& row : response.certificates()) {
      table.Add({boost::json::value(row.name()), boost::json::value(row.role()),
                 boost::json::value(ToTime(row.issued_ms())),
                 boost::json::value(ToTime(row.not_after_ms())),
                 boost::json::value(row.issued_by()), boost::json::value(row.serial())});
    }
    next = response.next();
    return {};
  };
  TRY_VOID(ForEachPage(one_page));
  invocation.Print(table);
  return {};
}

}  // namespace

void AddCertificateCommands(CLI::App& app, Invocation& invocation) {
  CLI::App* family = app.add_subcommand("cert", "Certificates of clients and administrators")
                         ->require_subcommand(1);

  auto issued = std::make_shared<IssueCertificate>();  // shared with the callback
  CLI::App* issue = family->add_subcommand(
      "issue",
      "Issue a certificate. The key is made here and stays here.\n"
      "  outportctl cert issue desktop --for store.example.com:5000 --out /etc/docker/certs.d");
  issue->add_option("NAME", issued->name, "of the machine or person that will hold it")->required();
  issue
      ->add_option("--for", issued->registries,
                   "HOST:PORT of a registry, again for more: each gets its folder, as docker "
                   "wants it")
      ->allow_extra_args(false);
  issue->add_option("--out", issued->out, "where the files go")->capture_default_str();
  issue->add_option("--days", issued->days, "how long it is valid (the store's default is 365)");
  issue
      ->add_option("--role", issued->role,
                   "client, or admin: then --out becomes a profile of outportctl")
      ->check(CLI::IsMember({"client", "admin"}))
      ->capture_default_str();
  issue->add_flag("--replace", issued->replace,
                  "replace the private key that stands in the folder; without it that is refused");
  issue->callback([&invocation, issued] {
    invocation.chosen = [&invocation, issued] { return Issue(invocation, *issued); };
  });

  CLI::App* list = family->add_subcommand("list", "List the certificates that were issued");
  list->callback([&invocation] { invocation.chosen = [&invocation] { return List(invocation); }; });

  AddRevokeCommand(*family, invocation);
}

}  // namespace outport::control
