#include "store/replication/snapshot_limits.h"

#include <utility>

namespace outport::store {
namespace {

constexpr double kSecondsPerMinute = 60;
constexpr double kUnlimited = 1e9;  // only the limit of each node counts

}  // namespace

SnapshotLimits::SnapshotLimits(const Clock& clock)
    : slots_(kAtOnce),
      rate_(clock, {.each = {.burst = kNodeBurst, .per_second = kNodePerMinute / kSecondsPerMinute},
                    .all = {.burst = kUnlimited, .per_second = kUnlimited}}) {}

Result<Slots::Slot> SnapshotLimits::Begin(const std::string& node) {
  std::optional<Slots::Slot> slot = slots_.Acquire();
  if (!slot.has_value()) {
    return Error{ErrorCode::kTooManyRequests,
                 "the store sends " + std::to_string(kAtOnce) +
                     " snapshots already; the node tries again by itself"};
  }
  if (!rate_.Admit(node)) {
    return Error{ErrorCode::kTooManyRequests,
                 "node '" + node + "' has begun " + std::to_string(kNodeBurst) +
                     " snapshots in a row, and may begin one a minute; it tries again by itself. "
                     "If it loses its replica again and again, check its disk"};
  }
  return std::move(*slot);
}

}  // namespace outport::store
