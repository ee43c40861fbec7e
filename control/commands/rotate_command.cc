#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <ostream>
#include <thread>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/authority.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Stub = v1::Authorities::Stub;

constexpr unsigned kSecretMode = 0600;
constexpr milliseconds kLeastPause{500};
constexpr milliseconds kMostPause{5000};

struct Rotate {
  std::string kind;
  std::string root_key;      // empty: the store has the key
  std::string new_root_key;  // file for the next root's key, if this machine creates it
  std::string key_type;      // empty: the type of the current key
  bool force = false;
  std::string wait = "60s";
};

boost::json::object ToJson(const v1::Rotation& rotation) {
  boost::json::array nodes;
  for (const v1::Rotation::Node& node : rotation.nodes()) {
    nodes.push_back(boost::json::object{
        {"name", node.name()}, {"connected", node.connected()}, {"ready", node.ready()}});
  }
  boost::json::array certificates;
  for (const v1::CertificateRow& row : rotation.certificates()) {
    certificates.push_back(
        boost::json::object{{"name", row.name()}, {"role", row.role()}, {"serial", row.serial()}});
  }
  return {{"kind", rotation.kind()},
          {"phase", rotation.phase()},
          {"started", ToTime(rotation.begun_ms())},
          {"started_by", rotation.begun_by()},
          {"nodes", std::move(nodes)},
          {"remaining_certificates", rotation.remaining_certificates()},
          {"certificates", std::move(certificates)}};
}

std::vector<std::string> PendingNodes(const v1::Rotation& rotation) {
  std::vector<std::string> pending;
  for (const v1::Rotation::Node& node : rotation.nodes()) {
    if (!node.ready()) pending.push_back(node.name() + (node.connected() ? "" : " (disconnected)"));
  }
  return pending;
}

// Describes the phase, the pending nodes and certificates, and the next step.
std::string ToText(const v1::Rotation& rotation) {
  if (rotation.kind().empty()) return "no rotation in progress";
  if (rotation.phase() == "retire") {
    return "the last step was interrupted; run 'outportctl ca rotate continue' to finish it";
  }
  const bool trusting = rotation.phase() == "trust";
  std::string text = trusting ? "phase 1 of 2: the next " + rotation.kind() +
                                    " CA is trusted, but issues nothing yet"
                              : "phase 2 of 2: the next " + rotation.kind() +
                                    " CA issues; certificates of the older CA are still valid";
  const std::vector<std::string> pending = PendingNodes(rotation);
  text += pending.empty() ? "\nall nodes are ready" : "\nnodes not ready yet: " + Join(pending);
  if (rotation.remaining_certificates() > 0) {
    std::vector<std::string> names;
    for (const v1::CertificateRow& row : rotation.certificates()) names.push_back(row.name());
    text += "\n" + std::to_string(rotation.remaining_certificates()) +
            " certificates of clients and administrators will not be valid after " +
            (trusting ? "an undo" : "the next step") + ": " + Join(names) +
            (names.size() < rotation.remaining_certificates() ? ", ..." : "") +
            "; run 'outportctl cert renew' where they are";
  }
  return text + (trusting ? "\nnext: 'outportctl ca rotate continue' (or undo)"
                          : "\nnext: 'outportctl ca rotate continue' permanently rejects the "
                            "certificates of the older CA (or undo)");
}

// Waits until every node is ready, or until the timeout, and prints the status.
Result<void> Await(const Invocation& invocation, StoreClient& client, v1::Rotation rotation,
                   milliseconds timeout) {
  const auto begin = steady_clock::now();
  const auto deadline = begin + timeout;
  for (auto now = begin; !PendingNodes(rotation).empty() && now < deadline;
       now = steady_clock::now()) {
    // The store scans all certificates for each answer, so the pause grows with the time waited.
    const auto pause =
        std::clamp<steady_clock::duration>((now - begin) / 4, kLeastPause, kMostPause);
    std::this_thread::sleep_for(std::min(pause, deadline - now));
    TRY_VOID(client.Call(&Stub::GetRotation, v1::GetRotationRequest(), rotation,
                         "reading the rotation status"));
  }
  invocation.Print(ToJson(rotation), ToText(rotation));
  const std::vector<std::string> pending = PendingNodes(rotation);
  if (pending.empty()) return {};
  return Error{ErrorCode::kDeadlineExceeded,
               "the phase has started, but these nodes are not ready yet: " + Join(pending) +
                   "; check with 'outportctl ca rotate status'"};
}

// Returns the current phase. A request for a step contains the phase that the step leaves. So a
// repeated request cannot take a second step.
Result<std::string> CurrentPhase(StoreClient& client) {
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::GetRotation, v1::GetRotationRequest(), rotation,
                       "reading the rotation status"));
  return rotation.phase();
}

// Waits until the connected nodes have applied the end of the rotation, and prints the result.
Result<void> AwaitEnd(const Invocation& invocation, StoreClient& client,
                      const v1::Rotation& rotation, milliseconds timeout, const std::string& text) {
  TRY(const Confirmation nodes, AwaitNodes(client, rotation.sequence(), {}, timeout));
  invocation.Print(ToJson(rotation), nodes.confirmed.empty()
                                         ? text
                                         : text + "; confirmed by " + Join(nodes.confirmed));
  if (nodes.pending.empty()) return {};
  return Error{ErrorCode::kDeadlineExceeded,
               "the end of the rotation is in force at the store, but not confirmed yet by: " +
                   Join(nodes.pending) + "; check again with 'outportctl wait --sequence " +
                   std::to_string(rotation.sequence()) + "'"};
}

// Signs the next issuing CA on this machine, so that the root's key does not leave the machine.
Result<void> SignHere(StoreClient& client, const Rotate& options,
                      v1::StartRotationRequest& request) {
  TRY(const std::string root_key, ReadSecretFile(options.root_key));
  v1::GetAuthoritiesResponse authorities;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetAuthorities, v1::GetAuthoritiesRequest(), authorities,
                       "reading the root"));
  v1::PrepareRotationRequest prepare;
  prepare.set_key_type(options.key_type);
  v1::PrepareRotationResponse prepared;
  TRY_VOID(client.Call(&Stub::PrepareRotation, prepare, prepared, "preparing the next issuing CA"));
  const pki::KeyPair root{authorities.root(), root_key};
  const auto by_root = pki::IssueIssuingCa(root, prepared.request(), prepared.domain());
  if (!by_root.has_value()) {
    TRY(const pki::Description described, pki::Describe(root.certificate));
    return Error(by_root.error())
        .Within(options.root_key + ", as the key of '" + described.subject + "' (SHA-256 " +
                described.fingerprint + ")");
  }
  if (options.kind == "issuing") {
    request.set_issuing_certificate(*by_root);
    return {};
  }
  TRY(const pki::KeyType type, pki::ReplacementKeyType(options.key_type, root.certificate));
  TRY(const pki::KeyPair next, pki::CreateRoot(prepared.domain(), type));
  TRY(*request.mutable_issuing_certificate(),
      pki::IssueIssuingCa(next, prepared.request(), prepared.domain()));
  request.set_cross_certificate(*by_root);
  request.set_root_certificate(next.certificate);
  // Save the key before the store gets the new root: without its key the root could never sign
  // another issuing CA.
  return ReplaceFile(options.new_root_key, next.private_key, kSecretMode);
}

Result<void> CheckStart(const Rotate& options) {
  if (!options.key_type.empty()) TRY_VOID(pki::ParseKeyType(options.key_type));
  if (options.kind == "issuing") return {};
  if (options.root_key.empty()) {
    if (options.new_root_key.empty()) return {};
    return Error{ErrorCode::kInvalidArgument,
                 "--new-root-key needs --root-key; without --root-key the store creates and keeps "
                 "the next root's key itself (DATA/pki/root.key)"};
  }
  if (options.new_root_key.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "with --root-key this machine also creates the next root's key; name a new file "
                 "for that key with --new-root-key"};
  }
  std::error_code ignored;
  if (fs::exists(options.new_root_key, ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 options.new_root_key + " already exists; choose another --new-root-key"};
  }
  const Result<void> possible = CheckReplaceable(options.new_root_key);
  if (possible.has_value()) return {};
  return Error(possible.error()).Within("--new-root-key");
}

// Adds to the error what to do with the file of the next root's key. The store may have started the
// rotation although the call failed, because only the answer may be lost. So the program does not
// delete the file: it is the only copy of the key.
Error StartFailed(const Rotate& options, Error why) {
  if (!options.new_root_key.empty()) {
    why.message +=
        "; " + options.new_root_key +
        " contains a new root key; keep the file if 'outportctl ca rotate status' shows a "
        "rotation, because it is the only copy of the next root's key; otherwise delete "
        "the file";
  }
  return why;
}

Result<void> Start(const Invocation& invocation, const Rotate& options) {
  TRY(const milliseconds timeout, ParseSpan("--wait", options.wait));
  TRY_VOID(CheckStart(options));
  TRY(StoreClient client, invocation.Connect());
  v1::StartRotationRequest request;
  request.set_kind(options.kind);
  request.set_key_type(options.key_type);
  if (!options.root_key.empty()) TRY_VOID(SignHere(client, options, request));
  v1::Rotation rotation;
  const Result<void> started = client.Call(&Stub::StartRotation, request, rotation,
                                           "starting the rotation of the " + options.kind + " CA");
  if (!started.has_value()) return StartFailed(options, started.error());
  return Await(invocation, client, std::move(rotation), timeout);
}

Result<void> Status(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::GetRotation, v1::GetRotationRequest(), rotation,
                       "reading the rotation status"));
  invocation.Print(ToJson(rotation), ToText(rotation));
  return {};
}

Result<void> Continue(const Invocation& invocation, const Rotate& options) {
  TRY(const milliseconds timeout, ParseSpan("--wait", options.wait));
  TRY(StoreClient client, invocation.Connect());
  v1::AdvanceRotationRequest request;
  request.set_force(options.force);
  TRY(*request.mutable_from_phase(), CurrentPhase(client));
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::AdvanceRotation, request, rotation, "continuing the rotation"));
  if (!rotation.kind().empty()) return Await(invocation, client, std::move(rotation), timeout);
  return AwaitEnd(invocation, client, rotation, timeout,
                  "rotation finished: certificates of the older CA are rejected");
}

Result<void> Undo(const Invocation& invocation, const Rotate& options) {
  TRY(const milliseconds timeout, ParseSpan("--wait", options.wait));
  TRY(StoreClient client, invocation.Connect());
  v1::UndoRotationRequest request;
  request.set_force(options.force);
  TRY(*request.mutable_from_phase(), CurrentPhase(client));
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::UndoRotation, request, rotation, "undoing the rotation"));
  if (!rotation.kind().empty()) return Await(invocation, client, std::move(rotation), timeout);
  return AwaitEnd(invocation, client, rotation, timeout,
                  "rotation undone: the older CA stays, the next CA was removed");
}

void AddWait(const Command& command, const std::shared_ptr<Rotate>& options) {
  command.AddOption("--wait", options->wait, "Maximum time to wait for the nodes").ShowDefault();
}

void AddStart(const Command& rotate, const std::string& kind, const std::string& help) {
  auto options = std::make_shared<Rotate>();  // shared with the callback
  options->kind = kind;
  Command command = rotate.AddCommand(kind, help);
  command.AddOption(
      "--root-key", options->root_key,
      "File with the root's key, if the store does not have it; this machine signs, and "
      "the key does not leave it");
  if (kind == "root") {
    command.AddOption("--new-root-key", options->new_root_key,
                      "With --root-key: new file for the next root's key");
  }
  command.AddOption(
      "--key-type", options->key_type,
      "Key type: ecdsa-p256, ecdsa-p384, rsa-2048 or rsa-4096 (default: the present type)");
  AddWait(command, options);
  command.Run(options, Start);
}

void AddStep(const Command& rotate, const char* name, const std::string& help,
             const std::string& forced, Result<void> (*step)(const Invocation&, const Rotate&)) {
  auto options = std::make_shared<Rotate>();  // shared with the callback
  Command command = rotate.AddCommand(name, help);
  command.AddFlag("--force", options->force, forced);
  AddWait(command, options);
  command.Run(options, step);
}

}  // namespace

void AddRotateCommand(const Command& family) {
  const Command rotate = family.AddFamily(
      "rotate",
      "Replace the issuing CA, or the root together with the issuing CA, without downtime:\n"
      "  outportctl ca rotate issuing     all trust the next CA; it issues nothing yet\n"
      "  outportctl ca rotate continue    the next CA issues; store and nodes renew\n"
      "  outportctl ca rotate continue    all reject the certificates of the older CA\n"
      "'undo' goes back one step, but not after the last one. Renew the certificates\n"
      "of clients and administrators with 'outportctl cert renew' before the last step.");
  AddStart(rotate, "issuing",
           "Start to replace the issuing CA; the root stays\n"
           "  outportctl ca rotate issuing --root-key /media/usb/root.key");
  AddStart(
      rotate, "root",
      "Start to replace the root and the issuing CA. From now on 'cert issue' and 'cert renew'\n"
      "write a ca.crt with both roots; clients need it before the last step\n"
      "  outportctl ca rotate root");
  rotate
      .AddCommand(
          "status",
          "Show the phase of the rotation, and the nodes and certificates that are pending\n"
          "  outportctl ca rotate status")
      .Run(Status);
  AddStep(rotate, "continue",
          "Go to the next phase, or take the last step\n"
          "  outportctl ca rotate continue",
          "Continue although nodes or certificates are pending; the last step rejects them "
          "step",
          Continue);
  AddStep(rotate, "undo",
          "Go back one phase\n"
          "  outportctl ca rotate undo",
          "Undo although the fleet then rejects nodes or certificates of the next CA", Undo);
}

}  // namespace outport::control
