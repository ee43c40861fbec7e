#include "control/commands/confirmation.h"

#include <algorithm>
#include <thread>

namespace outport::control {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{50};

Result<Confirmation> Ask(StoreClient& client, uint64_t sequence,
                         const std::vector<std::string>& names) {
  Confirmation now;
  auto see = [&](const v1::NodeInfo& node) {
    if (!names.empty() && std::ranges::find(names, node.name()) == names.end()) return;
    const bool confirmed = node.acknowledged_sequence() >= sequence;
    const bool away = !confirmed && !node.connected() && names.empty();
    (confirmed ? now.confirmed : away ? now.away : now.behind).push_back(node.name());
  };
  TRY_VOID(client.ForEachRow(&v1::Admin::Stub::ListNodes, v1::ListNodesRequest(),
                             &v1::ListNodesResponse::nodes, "listing the nodes", see));
  return now;
}

Result<void> CheckKnown(const Confirmation& now, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto has = [&](const std::vector<std::string>& list) {
      return std::ranges::find(list, name) != list.end();
    };
    if (has(now.confirmed) || has(now.behind) || has(now.away)) continue;
    return Error{ErrorCode::kNotFound,
                 "there is no node '" + name + "'; 'outportctl node list' shows those there are"};
  }
  return {};
}

}  // namespace

Result<Confirmation> AwaitNodes(StoreClient& client, uint64_t sequence,
                                const std::vector<std::string>& names,
                                std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  for (;;) {
    TRY(Confirmation now, Ask(client, sequence, names));
    TRY_VOID(CheckKnown(now, names));
    if (now.behind.empty() || steady_clock::now() >= deadline) return now;
    std::this_thread::sleep_for(kPause);
  }
}

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace outport::control
