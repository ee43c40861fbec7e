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
#include "outport/v1/authority.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/base/settings.h"
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
  std::string root_key;      // empty: the store has it
  std::string new_root_key;  // where the next root's key goes, if it is made here
  std::string key_type;      // empty: as it is
  bool force = false;
  std::string wait = "60s";
};

boost::json::object ToJson(const v1::Rotation& rotation) {
  boost::json::array nodes;
  for (const v1::Rotation::Node& node : rotation.nodes()) {
    nodes.push_back(boost::json::object{
        {"name", node.name()}, {"connected", node.connected()}, {"done", node.done()}});
  }
  boost::json::array certificates;
  for (const v1::CertificateRow& row : rotation.certificates()) {
    certificates.push_back(
        boost::json::object{{"name", row.name()}, {"role", row.role()}, {"serial", row.serial()}});
  }
  return {{"kind", rotation.kind()},
          {"phase", rotation.phase()},
          {"begun", ToTime(rotation.begun_ms())},
          {"begun_by", rotation.begun_by()},
          {"nodes", std::move(nodes)},
          {"certificates_left", rotation.certificates_left()},
          {"certificates", std::move(certificates)}};
}

std::vector<std::string> Missing(const v1::Rotation& rotation) {
  std::vector<std::string> missing;
  for (const v1::Rotation::Node& node : rotation.nodes()) {
    if (!node.done()) missing.push_back(node.name() + (node.connected() ? "" : " (away)"));
  }
  return missing;
}

// What the phase is for people, and what comes next.
std::string ToText(const v1::Rotation& rotation) {
  if (rotation.kind().empty()) return "no authority is being replaced";
  if (rotation.phase() == "retire") {
    return "the last step was begun and not finished: 'outportctl ca rotate continue' does so";
  }
  const bool trusting = rotation.phase() == "trust";
  std::string text = trusting
                         ? "phase 1 of 2: the next " + rotation.kind() +
                               " authority is trusted beside the older one, and issues nothing yet"
                         : "phase 2 of 2: the next " + rotation.kind() +
                               " authority issues; what the older one issued is still good";
  const std::vector<std::string> missing = Missing(rotation);
  text += missing.empty() ? "\nall nodes have done their part"
                          : "\nnodes that have not done their part yet: " + Join(missing);
  if (rotation.certificates_left() > 0) {
    std::vector<std::string> names;
    for (const v1::CertificateRow& row : rotation.certificates()) names.push_back(row.name());
    text += "\n" + std::to_string(rotation.certificates_left()) +
            " certificates of clients and administrators would be refused by the " +
            (trusting ? "undoing" : "next step") + ": " + Join(names) +
            (names.size() < rotation.certificates_left() ? ", ..." : "") +
            "; 'outportctl cert renew' where they are";
  }
  return text + (trusting ? "\nnext: 'outportctl ca rotate continue' (or undo)"
                          : "\nnext: 'outportctl ca rotate continue' refuses what the older one "
                            "issued, for good (or undo)");
}

// Until every node has done its part, or the patience is over. Shows how far it is then.
Result<void> Await(const Invocation& invocation, StoreClient& client, v1::Rotation rotation,
                   milliseconds patience) {
  const auto begin = steady_clock::now();
  const auto deadline = begin + patience;
  for (auto now = begin; !Missing(rotation).empty() && now < deadline; now = steady_clock::now()) {
    // The store looks through all certificates for an answer: ever less often.
    const auto pause =
        std::clamp<steady_clock::duration>((now - begin) / 4, kLeastPause, kMostPause);
    std::this_thread::sleep_for(std::min(pause, deadline - now));
    TRY_VOID(client.Call(&Stub::GetRotation, v1::GetRotationRequest(), rotation,
                         "asking how far the rotation is"));
  }
  invocation.Print(ToJson(rotation), ToText(rotation));
  const std::vector<std::string> missing = Missing(rotation);
  if (missing.empty()) return {};
  return Error{ErrorCode::kDeadlineExceeded,
               "the phase has begun, but these nodes have not done their part yet: " +
                   Join(missing) + "; 'outportctl ca rotate status' tells when they have"};
}

// Which phase is left by the step that is asked for next: it is taken once, however often it is
// sent.
Result<std::string> PhaseNow(StoreClient& client) {
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::GetRotation, v1::GetRotationRequest(), rotation,
                       "asking how far the rotation is"));
  return rotation.phase();
}

// What is over is in force at connected nodes when they have applied the store's last change.
Result<void> AwaitEnd(const Invocation& invocation, StoreClient& client,
                      const v1::Rotation& rotation, milliseconds patience,
                      const std::string& text) {
  TRY(const Confirmation nodes, AwaitNodes(client, rotation.sequence(), {}, patience));
  invocation.Print(ToJson(rotation), nodes.confirmed.empty()
                                         ? text
                                         : text + "; confirmed by " + Join(nodes.confirmed));
  if (nodes.behind.empty()) return {};
  return Error{ErrorCode::kDeadlineExceeded,
               "it is in force at the store, but these nodes have not confirmed yet: " +
                   Join(nodes.behind) + "; ask again with 'outportctl wait --sequence " +
                   std::to_string(rotation.sequence()) + "'"};
}

// The next issuing CA, signed here: the root's key does not leave this machine.
Result<void> SignHere(StoreClient& client, const Rotate& options,
                      v1::StartRotationRequest& request) {
  TRY(const std::string root_key, ReadSecretFile(options.root_key));
  v1::GetAuthoritiesResponse authorities;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetAuthorities, v1::GetAuthoritiesRequest(), authorities,
                       "asking for the root"));
  v1::PrepareRotationRequest prepare;
  prepare.set_key_type(options.key_type);
  v1::PrepareRotationResponse prepared;
  TRY_VOID(client.Call(&Stub::PrepareRotation, prepare, prepared, "preparing the next issuing CA"));
  const pki::KeyPair root{authorities.root(), root_key};
  const auto by_root = pki::IssueAuthority(root, prepared.request(), prepared.domain());
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
  TRY(const pki::KeyType type, pki::TypeOfNext(options.key_type, root.certificate));
  TRY(const pki::KeyPair next, pki::CreateRoot(prepared.domain(), type));
  TRY(*request.mutable_issuing_certificate(),
      pki::IssueAuthority(next, prepared.request(), prepared.domain()));
  request.set_cross_certificate(*by_root);
  request.set_root_certificate(next.certificate);
  // Before it is used: a root without its key could never sign again.
  return ReplaceFile(options.new_root_key, next.private_key, kSecretMode);
}

Result<void> CheckStart(const Rotate& options) {
  if (!options.key_type.empty()) TRY_VOID(pki::ParseKeyType(options.key_type));
  if (options.kind == "issuing") return {};
  if (options.root_key.empty()) {
    if (options.new_root_key.empty()) return {};
    return Error{ErrorCode::kInvalidArgument,
                 "--new-root-key goes with --root-key: without that the store signs, and makes and "
                 "keeps the next root's key itself (DATA/pki/root.key)"};
  }
  if (options.new_root_key.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "with --root-key the next root's key is made here, too: name a new file for it "
                 "with --new-root-key"};
  }
  std::error_code ignored;
  if (fs::exists(options.new_root_key, ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 options.new_root_key + " is there already; choose another --new-root-key"};
  }
  const Result<void> possible = CheckReplaceable(options.new_root_key);
  if (possible.has_value()) return {};
  return Error(possible.error()).Within("--new-root-key");
}

// The answer may be lost where the request was not, so the only copy of a root's key stays.
Error NoStart(const Rotate& options, Error why) {
  if (!options.new_root_key.empty()) {
    why.message += "; " + options.new_root_key +
                   " was written, and is the next root's key if 'outportctl ca rotate status' says "
                   "that its rotation has begun: else remove it";
  }
  return why;
}

Result<void> Start(const Invocation& invocation, const Rotate& options) {
  TRY(const milliseconds patience, ParseDuration(options.wait));
  TRY_VOID(CheckStart(options));
  TRY(StoreClient client, invocation.Connect());
  v1::StartRotationRequest request;
  request.set_kind(options.kind);
  request.set_key_type(options.key_type);
  if (!options.root_key.empty()) TRY_VOID(SignHere(client, options, request));
  v1::Rotation rotation;
  const Result<void> started = client.Call(&Stub::StartRotation, request, rotation,
                                           "replacing the " + options.kind + " authority");
  if (!started.has_value()) return NoStart(options, started.error());
  return Await(invocation, client, std::move(rotation), patience);
}

Result<void> Status(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::GetRotation, v1::GetRotationRequest(), rotation,
                       "asking how far the rotation is"));
  invocation.Print(ToJson(rotation), ToText(rotation));
  return {};
}

Result<void> Continue(const Invocation& invocation, const Rotate& options) {
  TRY(const milliseconds patience, ParseDuration(options.wait));
  TRY(StoreClient client, invocation.Connect());
  v1::AdvanceRotationRequest request;
  request.set_force(options.force);
  TRY(*request.mutable_from_phase(), PhaseNow(client));
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::AdvanceRotation, request, rotation, "going on with the rotation"));
  if (!rotation.kind().empty()) return Await(invocation, client, std::move(rotation), patience);
  return AwaitEnd(invocation, client, rotation, patience,
                  "the rotation is done: what the older authority issued is refused");
}

Result<void> Undo(const Invocation& invocation, const Rotate& options) {
  TRY(const milliseconds patience, ParseDuration(options.wait));
  TRY(StoreClient client, invocation.Connect());
  v1::UndoRotationRequest request;
  request.set_force(options.force);
  TRY(*request.mutable_from_phase(), PhaseNow(client));
  v1::Rotation rotation;
  TRY_VOID(client.Call(&Stub::UndoRotation, request, rotation, "undoing the rotation"));
  if (!rotation.kind().empty()) return Await(invocation, client, std::move(rotation), patience);
  return AwaitEnd(invocation, client, rotation, patience,
                  "the rotation is undone: the older authority stays, the next one is gone");
}

void AddWait(const Command& command, const std::shared_ptr<Rotate>& options) {
  command.AddOption("--wait", options->wait, "how long to wait for the nodes to do their part")
      .ShowDefault();
}

void AddStart(const Command& rotate, const std::string& kind, const std::string& help) {
  auto options = std::make_shared<Rotate>();  // shared with the callback
  options->kind = kind;
  Command command = rotate.AddCommand(kind, help);
  command.AddOption("--root-key", options->root_key,
                    "file with the root's key, if the store does not have it: the next CA is "
                    "signed here, the key does not leave this machine");
  if (kind == "root") {
    command.AddOption("--new-root-key", options->new_root_key,
                      "with --root-key: new file for the next root's key");
  }
  command.AddOption("--key-type", options->key_type,
                    "ecdsa-p256, ecdsa-p384, rsa-2048, rsa-4096 (default: as it is now)");
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
  const Command rotate =
      family.AddFamily("rotate",
                       "Replace the CA that issues, or the root and with it that, in two phases "
                       "and a last step:\n"
                       "  outportctl ca rotate issuing     the next one is trusted everywhere\n"
                       "  outportctl ca rotate continue    it issues; store and nodes renew\n"
                       "  outportctl ca rotate continue    what the older one issued is refused\n"
                       "Until the last step 'undo' goes back by one. Clients' certificates are "
                       "renewed by\n'outportctl cert renew' where they are, before it.");
  AddStart(rotate, "issuing", "Begin to replace the issuing CA; the root stays");
  AddStart(rotate, "root",
           "Begin to replace the root, and the issuing CA with it. Clients need the new ca.crt, "
           "which\n'cert renew' and 'cert issue' give from then on, before the last step");
  const Command status = rotate.AddCommand("status", "Show how far a rotation is");
  status.Run(Status);
  AddStep(rotate, "continue", "Go on to the next phase, or take the last step",
          "although nodes or certificates are left behind; they are refused after the last step",
          Continue);
  AddStep(rotate, "undo", "Go back by one phase",
          "although nodes or certificates of the next authority are refused then", Undo);
}

}  // namespace outport::control
