#include <boost/json/object.hpp>
#include <ostream>

#include "control/invocation.h"
#include "registry/base/file.h"
#include "registry/security/pki.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;

struct IssueCertificate {
  std::string name;
  std::string role = "client";
  std::vector<std::string> registries;  // host:port
  std::string out = "./certs.d";
  uint32_t days = 0;
};

Result<void> Check(const IssueCertificate& options) {
  TRY_VOID(ParseSubjectName(options.name));
  if (options.role == "admin" && !options.registries.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "--for is for clients' certificates: registries refuse an administrator's"};
  }
  for (const std::string& registry : options.registries) {
    if (registry.empty() || registry.contains('/') || registry.starts_with('.')) {
      return Error{ErrorCode::kInvalidArgument,
                   "'" + registry + "' is no registry: --for HOST:PORT, as in an image's name"};
    }
  }
  return {};
}

// Docker's layout: certs.d/<host:port>/{ca.crt,client.cert,client.key}.
Result<void> WriteClient(const fs::path& folder, const std::string& key,
                         const v1::IssueCertificateResponse& issued) {
  PosixFileSystem files;
  TRY_VOID(files.CreateDirectories(folder));
  TRY_VOID(ReplaceFile(folder / "client.key", key, 0600));
  TRY_VOID(ReplaceFile(folder / "client.cert", issued.certificate(), 0644));
  return ReplaceFile(folder / "ca.crt", issued.authorities(), 0644);
}

Result<std::vector<fs::path>> WriteFiles(const IssueCertificate& options, const Profile& profile,
                                         const std::string& key,
                                         const v1::IssueCertificateResponse& issued) {
  std::vector<fs::path> folders;
  if (options.role == "admin") {
    const Profile made{
        options.out, profile.store, {issued.certificate(), key, issued.authorities()}};
    TRY_VOID(made.Save());
    folders.emplace_back(options.out);
    return folders;
  }
  for (const std::string& registry : options.registries) {
    folders.push_back(fs::path(options.out) / registry);
  }
  if (folders.empty()) folders.emplace_back(options.out);
  for (const fs::path& folder : folders) TRY_VOID(WriteClient(folder, key, issued));
  return folders;
}

Result<void> Issue(const Invocation& invocation, const IssueCertificate& options) {
  TRY_VOID(Check(options));
  TRY(StoreClient client, invocation.Connect());
  const std::string key = pki::CreatePrivateKey();
  v1::IssueCertificateRequest request;
  request.set_name(options.name);
  request.set_role(options.role);
  request.set_days(options.days);
  TRY(*request.mutable_request(), pki::CreateRequest(key));
  v1::IssueCertificateResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::IssueCertificate, request, response,
                       "issuing a certificate to '" + options.name + "'"));
  TRY(const auto folders, WriteFiles(options, client.profile(), key, response));
  boost::json::array written;
  std::string text;
  const std::string until = ToTime(response.row().not_after_ms());
  for (const fs::path& folder : folders) {
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
  issue->callback([&invocation, issued] {
    invocation.chosen = [&invocation, issued] { return Issue(invocation, *issued); };
  });

  CLI::App* list = family->add_subcommand("list", "List the certificates that were issued");
  list->callback([&invocation] { invocation.chosen = [&invocation] { return List(invocation); }; });
}

}  // namespace outport::control
