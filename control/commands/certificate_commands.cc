#include <boost/json/object.hpp>
#include <optional>
#include <ostream>

#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/security/grants/grant.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

struct ListCertificates {
  std::string name;    // a glob; empty: any
  std::string role;    // empty: any
  std::string status;  // empty: any
  std::string expiring;
};

int64_t NowMs() { return ToUnixMillis(SystemClock().Wall()); }

std::string StatusOf(const v1::CertificateInfo& certificate) {
  if (certificate.has_revocation()) return "revoked";
  return certificate.row().not_after_ms() <= NowMs() ? "expired" : "valid";
}

// The filter options of `cert list`.
class Filter {
 public:
  static Result<Filter> Make(const ListCertificates& options) {
    Filter filter(options);
    if (options.expiring.empty()) return filter;
    TRY(const std::chrono::milliseconds within, ParseSpan("--expiring", options.expiring));
    filter.before_ms_ = NowMs() + within.count();
    return filter;
  }
  bool Matches(const v1::CertificateInfo& one) const {
    const v1::CertificateRow& row = one.row();
    const std::string status = StatusOf(one);
    if (before_ms_.has_value() && (status != "valid" || row.not_after_ms() > *before_ms_)) {
      return false;
    }
    return (options_.name.empty() || MatchesName(options_.name, row.name())) &&
           (options_.role.empty() || options_.role == row.role()) &&
           (options_.status.empty() || options_.status == status);
  }

 private:
  explicit Filter(const ListCertificates& options) : options_(options) {}
  const ListCertificates& options_;
  std::optional<int64_t> before_ms_;
};

Result<void> List(const Invocation& invocation, const ListCertificates& options) {
  TRY(const Filter filter, Filter::Make(options));
  TRY(StoreClient client, invocation.Connect());
  Table table({"name", "role", "status", "issued", "expires", "issued_by", "serial"});
  const auto add = [&](const v1::CertificateInfo& one) {
    if (!filter.Matches(one)) return;
    const v1::CertificateRow& row = one.row();
    table.Add({boost::json::value(row.name()), boost::json::value(row.role()),
               boost::json::value(StatusOf(one)), boost::json::value(ToTime(row.issued_ms())),
               boost::json::value(ToTime(row.not_after_ms())), boost::json::value(row.issued_by()),
               boost::json::value(row.serial())});
  };
  TRY_VOID(client.ForEachRow(&v1::Admin::Stub::ListCertificates, v1::ListCertificatesRequest(),
                             &v1::ListCertificatesResponse::certificates,
                             "listing the certificates", add));
  invocation.Print(table);
  return {};
}

// Returns the serial number. `text` is the number itself, or the name of a file with the
// certificate.
Result<std::string> SerialOf(const std::string& text) {
  if (!text.contains('/') && !text.contains('.')) return text;
  TRY(const std::string pem, ReadWholeFile(text));
  auto identity = pki::Inspect(pem);
  if (!identity.has_value()) return std::move(identity).error().Within(text);
  return std::move(identity->serial);
}

Result<void> Show(const Invocation& invocation, const std::string& which) {
  TRY(const std::string serial, SerialOf(which));
  TRY(StoreClient client, invocation.Connect());
  v1::GetCertificateRequest request;
  request.set_serial(serial);
  v1::CertificateInfo found;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetCertificate, request, found, "reading a certificate"));
  const v1::CertificateRow& row = found.row();
  boost::json::object document = {{"name", row.name()},
                                  {"role", row.role()},
                                  {"status", StatusOf(found)},
                                  {"issued", ToTime(row.issued_ms())},
                                  {"expires", ToTime(row.not_after_ms())},
                                  {"issued_by", row.issued_by()},
                                  {"serial", row.serial()},
                                  {"issuer_key_id", row.issuer_key_id()}};
  if (found.has_revocation()) {
    document["revoked"] = ToTime(found.revocation().revoked_ms());
    document["revoked_by"] = found.revocation().revoked_by();
  }
  invocation.PrintFields(document);
  return {};
}

}  // namespace

void AddCertificateCommands(const Command& app) {
  const Command family =
      app.AddFamily("cert", "Issue, list, renew and revoke the certificates of clients and admins");
  AddIssueCommand(family);

  auto listed = std::make_shared<ListCertificates>();  // shared with the callback
  const Command list = family.AddCommand("list",
                                         "List issued certificates.\n"
                                         "  outportctl cert list --name 'ci-*' --status valid\n"
                                         "  outportctl cert list --expiring 30d");
  list.AddOption("--name", listed->name, "Only certificates with a matching name; * is a wildcard");
  list.AddOption("--role", listed->role, "Only certificates with this role")
      .OneOf({"client", "admin", "node"});
  list.AddOption("--status", listed->status, "Only certificates with this status")
      .OneOf({"valid", "expired", "revoked"});
  list.AddOption("--expiring", listed->expiring,
                 "Only valid certificates that expire within this time (30d)");
  list.Run(listed, List);

  auto shown = std::make_shared<std::string>();  // shared with the callback
  const Command show =
      family.AddCommand("show",
                        "Show a certificate: name, role, status and dates.\n"
                        "  outportctl cert show 4f1a22c0\n"
                        "  outportctl cert show ./certs.d/store.example.com:5000/client.cert");
  show.AddOption("SERIAL", *shown,
                 "Serial number, or its first 8 or more digits, or a certificate file")
      .Required();
  show.Run(shown, Show);

  AddRenewCommand(family);
  AddRevokeCommand(family);
  AddInstallCommand(family);
}

}  // namespace outport::control
