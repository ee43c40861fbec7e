#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/lru_map.h"
#include "registry/base/mutex.h"
#include "registry/records/resolve.h"

namespace outport::node {

// The leases that the store has renewed for clients of this node that may push. The store's garbage
// collector keeps the content until the lease ends. While at least half of the lease is left, the
// node answers a HEAD for the same content without the store. The store's clock does not matter:
// the node counts the lease from the moment before it asked, by its own CLOCK_BOOTTIME.
//
// Keeps at most `limit` leases, and drops the least recently used one. The node then asks the store
// again. Safe for all threads; does not block.
class PushLeases {
 public:
  explicit PushLeases(const Clock& clock, size_t limit = 16384) : clock_(clock), leases_(limit) {}

  // Drops all leases of other epochs. `epoch` is the store's epoch: a store that was restored from
  // a backup does not know the leases of its earlier epoch. The replica may stay in that epoch for
  // long, for example until it has loaded a snapshot.
  void BeginEpoch(const std::string& epoch);
  // Records that the store of `epoch` keeps the content for `left` after `asked`, by
  // Clock::SinceBoot. `content` names the content by digest. Ignores an answer of another epoch
  // than that of the last BeginEpoch().
  void Record(const std::string& epoch, const ResolveQuestion& content,
              std::chrono::nanoseconds asked, std::chrono::milliseconds left);
  // Whether at least half of the content's lease is left. `epoch` is the replica's epoch.
  bool Covers(const std::string& epoch, const ResolveQuestion& content);

 private:
  struct Lease {
    std::string epoch;
    std::chrono::nanoseconds half{0};  // when half of it is over
  };

  const Clock& clock_;
  Mutex mutex_;
  std::string store_epoch_ OUTPORT_GUARDED_BY(mutex_);  // empty: not known yet
  LruMap<ResolveQuestion, Lease> leases_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
