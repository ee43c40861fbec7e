#include <ostream>

#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/authority.grpc.pb.h"
#include "registry/base/clock.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

Result<void> Show(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  v1::GetAuthoritiesResponse authorities;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetAuthorities, v1::GetAuthoritiesRequest(), authorities,
                       "reading the certificate authorities"));
  Table table(
      {"authority", "subject", "key_type", "valid_from", "expires", "key_id", "fingerprint"});
  const auto add = [&table](const char* authority, const std::string& pem) -> Result<void> {
    TRY(const pki::Description described, pki::Describe(pem));
    table.Add({boost::json::value(authority), boost::json::value(described.subject),
               boost::json::value(described.key),
               boost::json::value(FormatTime(described.not_before)),
               boost::json::value(FormatTime(described.not_after)),
               boost::json::value(described.key_id), boost::json::value(described.fingerprint)});
    return {};
  };
  TRY_VOID(add("root", authorities.root()));
  TRY_VOID(add("issuing", authorities.issuing()));
  v1::Rotation rotation;
  TRY_VOID(client.Call(&v1::Authorities::Stub::GetRotation, v1::GetRotationRequest(), rotation,
                       "reading the rotation status"));
  // In the phase "certificates" the next CAs already issue certificates. The store lists them in
  // the first two rows, so this function does not add them again.
  const bool next_issues = rotation.phase() == "certificates";
  if (!rotation.next_root().empty() && !next_issues)
    TRY_VOID(add("next root", rotation.next_root()));
  if (!rotation.next_issuing().empty() && !next_issues) {
    TRY_VOID(add("next issuing", rotation.next_issuing()));
  }
  invocation.Print(table);
  if (authorities.root_key_at_store() && !invocation.json()) {
    invocation.streams.err << "warning: the root key is on the store's disk, in DATA/pki/root.key; "
                              "move it offline; only 'ca rotate' needs it\n";
  }
  return {};
}

}  // namespace

void AddAuthorityCommands(const Command& app) {
  const Command family = app.AddFamily("ca", "Show and rotate the certificate authorities");
  const Command show = family.AddCommand(
      "show",
      "Show the root and the issuing CA. Who has a token or a ca.crt trusts the root.\n"
      "  outportctl ca show");
  show.Run(Show);
  AddRotateCommand(family);
}

}  // namespace outport::control
