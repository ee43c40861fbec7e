#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/access.grpc.pb.h"

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
  return nodes.pending.empty() ? "; no node is connected" : "; no node has confirmed yet";
}

// Prints which nodes have confirmed the change. Returns an error if a connected node has not
// confirmed it. REQUIRES: `document` has the field "sequence".
Result<void> PrintNodes(const Invocation& invocation, boost::json::object document,
                        const std::string& text, const Confirmation& nodes) {
  const auto sequence = document.at("sequence").to_number<uint64_t>();
  document["confirmed"] = Names(nodes.confirmed);
  document["pending"] = Names(nodes.pending);
  document["disconnected"] = Names(nodes.disconnected);
  invocation.Print(document, text + ConfirmedBy(nodes));
  if (!nodes.disconnected.empty() && !invocation.json()) {
    invocation.streams.err << "disconnected nodes apply the change when they reconnect: "
                           << Join(nodes.disconnected)
                           << " (until then access.max_revocation_age applies)\n";
  }
  if (nodes.pending.empty()) return {};
  return Error{
      ErrorCode::kDeadlineExceeded,
      "the change is in force at the store, but not confirmed yet by: " + Join(nodes.pending) +
          "; check again with 'outportctl wait --sequence " + std::to_string(sequence) + "'"};
}

Result<void> Revoke(const Invocation& invocation, const RevokeCertificate& options) {
  TRY(const std::chrono::milliseconds timeout, ParseSpan("--timeout", options.timeout));
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
  const std::string text =
      row.role() + " certificate '" + row.name() + "' (serial " + row.serial() + ") revoked";
  if (!options.wait || response.pending()) {
    invocation.Print(document, text);
    WarnIfPending(invocation, response.pending());
    if (!options.wait || !response.pending()) return {};
    return Error{ErrorCode::kUnavailable,
                 "no node can confirm the revocation before it is durable; run the command again"};
  }
  TRY(const Confirmation nodes, AwaitNodes(client, response.sequence(), {}, timeout));
  return PrintNodes(invocation, document, text, nodes);
}

struct Wait {
  uint64_t sequence = 0;
  std::vector<std::string> nodes;
  std::string timeout = "10s";
};

// Checks that the store has the change. Otherwise no node can confirm it, and the wait would last
// until the timeout.
Result<void> CheckSequence(StoreClient& client, uint64_t sequence) {
  v1::GetStatusResponse status;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), status,
                       "reading the store's last change"));
  if (sequence <= status.head_sequence()) return {};
  return Error{ErrorCode::kInvalidArgument, "change " + std::to_string(sequence) +
                                                " does not exist; the store's last change is " +
                                                std::to_string(status.head_sequence())};
}

Result<void> WaitForNodes(const Invocation& invocation, const Wait& options) {
  TRY(const std::chrono::milliseconds timeout, ParseSpan("--timeout", options.timeout));
  TRY(StoreClient client, invocation.Connect());
  TRY_VOID(CheckSequence(client, options.sequence));
  TRY(const Confirmation nodes, AwaitNodes(client, options.sequence, options.nodes, timeout));
  const std::string change = "change " + std::to_string(options.sequence);
  boost::json::object document;
  document["sequence"] = options.sequence;
  return PrintNodes(invocation, std::move(document), change, nodes);
}

}  // namespace

void AddRevokeCommand(const Command& family) {
  auto revoked = std::make_shared<RevokeCertificate>();  // shared with the callback
  const Command revoke = family.AddCommand("revoke",
                                           "Revoke a certificate. The store and every connected "
                                           "node reject it within a second, and cut\n"
                                           "its open connections.\n"
                                           "  outportctl cert revoke 4f1a22c09b --wait");
  revoke
      .AddOption("SERIAL", revoked->serial,
                 "Serial number from 'cert list', or its first 8 or more digits")
      .Required();
  revoke.AddFlag("--wait", revoked->wait,
                 "Wait until every connected node has confirmed; list the nodes that have not");
  revoke.AddOption("--timeout", revoked->timeout, "Maximum time for --wait").ShowDefault();
  revoke.Run(revoked, Revoke);
}

void AddWaitCommand(const Command& app) {
  auto wait = std::make_shared<Wait>();  // shared with the callback
  const Command command = app.AddCommand(
      "wait",
      "Wait until nodes have applied a change of the store. Commands print its sequence with\n"
      "-o json, and a push returns it as Outport-Sequence.\n"
      "  outportctl wait --sequence 1042 eu-west");
  command.AddOption("--sequence", wait->sequence, "Sequence of the change").Required();
  command.AddOption("NODE", wait->nodes, "Names of nodes (default: all connected nodes)");
  command.AddOption("--timeout", wait->timeout, "Maximum time to wait").ShowDefault();
  command.Run(wait, WaitForNodes);
}

}  // namespace outport::control
