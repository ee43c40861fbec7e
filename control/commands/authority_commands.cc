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
                       "showing the authorities"));
  Table table({"authority", "subject", "key", "not_before", "not_after", "key_id", "fingerprint"});
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
                       "asking whether they are being replaced"));
  const bool issues = rotation.phase() == "certificates";  // then the two above are the next ones
  if (!rotation.next_root().empty() && !issues) TRY_VOID(add("next root", rotation.next_root()));
  if (!rotation.next_issuing().empty() && !issues) {
    TRY_VOID(add("next issuing", rotation.next_issuing()));
  }
  invocation.Print(table);
  if (authorities.root_key_here() && !invocation.json()) {
    invocation.streams.err << "the root's key lies at the store, in DATA/pki/root.key; keep it "
                              "somewhere offline instead: nothing here needs it\n";
  }
  return {};
}

}  // namespace

void AddAuthorityCommands(const Command& app) {
  const Command family = app.AddFamily("ca", "The fleet's certificate authorities");
  const Command show = family.AddCommand(
      "show", "Show the root, which every token and ca.crt pins, and the CA that issues.");
  show.Run(Show);
  AddRotateCommand(family);
}

}  // namespace outport::control
