#include "node/freshness/read_your_writes.h"

#include <utility>

namespace outport::node {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kWait{1000};

}  // namespace

net::awaitable<bool> WaitUntilApplied(Replica& replica, std::string epoch, uint64_t sequence,
                                      steady_clock::time_point deadline) {
  for (;;) {
    const uint64_t seen = replica.PositionChanged().Version();
    const v1::Position applied = replica.position();
    const bool same_log = epoch.empty() || applied.epoch() == epoch;
    if (same_log && applied.sequence() >= sequence) co_return true;
    if (!co_await replica.PositionChanged().WaitPast(seen, deadline)) co_return false;
  }
}

net::awaitable<bool> WaitForCallersChange(Replica& replica, const Caller& caller) {
  if (caller.min_sequence == 0) co_return true;
  co_return co_await WaitUntilApplied(replica, "", caller.min_sequence,
                                      steady_clock::now() + kWait);
}

Result<void> RequireCallersChange(const Caller& caller, const v1::Position& position) {
  if (position.sequence() >= caller.min_sequence) return {};
  return Error{ErrorCode::kUnavailable,
               "the newest answer is from change " + std::to_string(position.sequence()) +
                   ", but the client asks for change " + std::to_string(caller.min_sequence) +
                   " (Outport-Min-Sequence); try again later"};
}

}  // namespace outport::node
