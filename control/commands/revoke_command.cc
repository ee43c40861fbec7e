#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/access.grpc.pb.h"
#include "registry/base/settings.h"

namespace outport::control {
namespace {

struct RevokeCertificate {
  std::string serial;
  bool wait = false;
  std::string timeout = "10s";
};

boost::json::array Names(const std::vector<std::string>& names) {
  return boost::json::array(names.begin(), names.end());
}

std::string ConfirmedBy(const Confirmation& nodes) {
  if (!nodes.confirmed.empty()) return "; confirmed by " + Join(nodes.confirmed);
  return nodes.behind.empty() ? "; no node is connected" : "; confirmed by no node yet";
}

// An error if a connected node has not confirmed; a word on those that are not connected.
// `document` has the sequence.
Result<void> TellOfNodes(const Invocation& invocation, boost::json::object document,
                         const std::string& text, const Confirmation& nodes) {
  const auto sequence = document.at("sequence").to_number<uint64_t>();
  document["confirmed"] = Names(nodes.confirmed);
  document["behind"] = Names(nodes.behind);
  document["not_connected"] = Names(nodes.away);
  invocation.Print(document, text + ConfirmedBy(nodes));
  if (!nodes.away.empty() && !invocation.json()) {
    invocation.streams.err << "not connected, so they will know when they are: " << Join(nodes.away)
                           << " (access.max_revocation_age says what they do meanwhile)\n";
  }
  if (nodes.behind.empty()) return {};
  return Error{
      ErrorCode::kDeadlineExceeded,
      "it is in force at the store, but these nodes have not confirmed yet: " + Join(nodes.behind) +
          "; ask again with 'outportctl wait --sequence " + std::to_string(sequence) + "'"};
}

Result<void> Revoke(const Invocation& invocation, const RevokeCertificate& options) {
  TRY(const std::chrono::milliseconds timeout, ParseDuration(options.timeout));
  TRY(StoreClient client, invocation.Connect());
  v1::RevokeCertificateRequest request;
  request.set_serial(options.serial);
  v1::RevokeCertificateResponse response;
  TRY_VOID(client.Call(&v1::Access::Stub::RevokeCertificate, request, response,
                       "revoking the certificate"));
  const v1::CertificateRow& row = response.certificate();
  const boost::json::object document = {{"name", row.name()},
                                        {"role", row.role()},
                                        {"serial", row.serial()},
                                        {"sequence", response.sequence()}};
  const std::string text = "the " + row.role() + " certificate of '" + row.name() + "' (serial " +
                           row.serial() + ") is revoked";
  if (!options.wait) {
    invocation.Print(document, text);
    return {};
  }
  TRY(const Confirmation nodes, AwaitNodes(client, response.sequence(), {}, timeout));
  return TellOfNodes(invocation, document, text, nodes);
}

struct Wait {
  uint64_t sequence = 0;
  std::vector<std::string> nodes;
  std::string timeout = "10s";
};

// A node that waits for what the store does not have would wait for ever.
Result<void> CheckSequence(StoreClient& client, uint64_t sequence) {
  v1::GetStatusResponse status;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), status,
                       "asking for the store's last change"));
  if (sequence <= status.head_sequence()) return {};
  return Error{ErrorCode::kInvalidArgument, "there is no change " + std::to_string(sequence) +
                                                ": the store's last is " +
                                                std::to_string(status.head_sequence())};
}

Result<void> WaitForNodes(const Invocation& invocation, const Wait& options) {
  TRY(const std::chrono::milliseconds timeout, ParseDuration(options.timeout));
  TRY(StoreClient client, invocation.Connect());
  TRY_VOID(CheckSequence(client, options.sequence));
  TRY(const Confirmation nodes, AwaitNodes(client, options.sequence, options.nodes, timeout));
  const std::string change = "change " + std::to_string(options.sequence);
  boost::json::object document;
  document["sequence"] = options.sequence;
  return TellOfNodes(invocation, std::move(document), change, nodes);
}

}  // namespace

void AddRevokeCommand(const Command& family) {
  auto revoked = std::make_shared<RevokeCertificate>();  // shared with the callback
  const Command revoke = family.AddCommand(
      "revoke",
      "Refuse a certificate everywhere within a second, and cut its connections.\n"
      "  outportctl cert revoke 4f1a22c09b --wait");
  revoke
      .AddOption("SERIAL", revoked->serial,
                 "as 'cert list' shows it; its first 8 digits are enough")
      .Required();
  revoke.AddFlag("--wait", revoked->wait,
                 "return when every connected node has confirmed, and name those that have not");
  revoke.AddOption("--timeout", revoked->timeout, "of --wait").ShowDefault();
  revoke.Run(revoked, Revoke);
}

void AddWaitCommand(const Command& app) {
  auto wait = std::make_shared<Wait>();  // shared with the callback
  Command command = app.AddCommand(
      "wait",
      "Wait until nodes have applied a change of the store: the sequence that a command of\n"
      "outportctl tells with -o json, or that a push is answered with (Outport-Sequence).\n"
      "  outportctl wait --sequence 1042 eu-west");
  command.AddOption("--sequence", wait->sequence, "the change to wait for").Required();
  command.AddOption("NODE", wait->nodes, "which nodes (default: all that are connected)");
  command.AddOption("--timeout", wait->timeout, "how long to wait").ShowDefault();
  command.Run(wait, WaitForNodes);
}

}  // namespace outport::control
