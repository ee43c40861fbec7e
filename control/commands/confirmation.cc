#include "control/commands/confirmation.h"

#include <algorithm>
#include <thread>

namespace outport::control {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{50};

Result<Confirmation> ReadNodes(StoreClient& client, uint64_t sequence,
                               const std::vector<std::string>& names) {
  Confirmation now;
  auto add = [&](const v1::NodeInfo& node) {
    if (!names.empty() && std::ranges::find(names, node.name()) == names.end()) return;
    const bool confirmed = node.acknowledged_sequence() >= sequence;
    const bool disconnected = !confirmed && !node.connected() && names.empty();
    (confirmed      ? now.confirmed
     : disconnected ? now.disconnected
                    : now.pending)
        .push_back(node.name());
  };
  TRY_VOID(client.ForEachRow(&v1::Admin::Stub::ListNodes, v1::ListNodesRequest(),
                             &v1::ListNodesResponse::nodes, "listing the nodes", add));
  return now;
}

Result<void> CheckKnown(const Confirmation& now, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto has = [&](const std::vector<std::string>& list) {
      return std::ranges::find(list, name) != list.end();
    };
    if (has(now.confirmed) || has(now.pending) || has(now.disconnected)) continue;
    return Error{ErrorCode::kNotFound,
                 "there is no node '" + name + "'; see 'outportctl node list'"};
  }
  return {};
}

}  // namespace

Result<Confirmation> AwaitNodes(StoreClient& client, uint64_t sequence,
                                const std::vector<std::string>& names,
                                std::chrono::milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  for (;;) {
    TRY(Confirmation now, ReadNodes(client, sequence, names));
    TRY_VOID(CheckKnown(now, names));
    if (now.pending.empty() || steady_clock::now() >= deadline) return now;
    std::this_thread::sleep_for(kPause);
  }
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void WarnIfPending(const Invocation& invocation, bool pending) {
  if (!pending) return;
  invocation.streams.err
      << "warning: in force at the store and at connected nodes, but not yet durable: the store "
         "could not write the change, and tries again; free space on its disk; if the store "
         "restarts before 'outportctl status' is without this warning, repeat the command\n";
}

}  // namespace outport::control
