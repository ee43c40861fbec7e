#pragma once

#include <string>

#include "registry/base/clock.h"
#include "registry/base/rate_limit.h"
#include "registry/base/result.h"
#include "registry/base/slots.h"

namespace outport::store {

// Limits the snapshots that nodes receive. A snapshot reads all rows, and its view of the database
// delays the compaction. A node needs few snapshots: after it has joined, after a change of its
// permissions, or if the change log no longer has its position. Safe for all threads; never blocks.
class SnapshotLimits {
 public:
  static constexpr size_t kAtOnce = 3;  // of all nodes
  // Of one node in a row. Each change of its permissions needs a snapshot, which must not wait
  // (I6).
  static constexpr size_t kNodeBurst = 30;
  static constexpr double kNodePerMinute = 1;  // after them

  // `clock` outlives the object.
  explicit SnapshotLimits(const Clock& clock);

  // Begins a snapshot, which ends when the slot is destroyed. Returns kTooManyRequests if a limit
  // is reached; the node then tries again by itself. REQUIRES: `node` names a member.
  Result<Slots::Slot> Begin(const std::string& node);

 private:
  Slots slots_;
  RateLimit rate_;
};

}  // namespace outport::store
