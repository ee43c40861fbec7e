#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/base/settings.h"

namespace outport {

// The free space of a disk, in bytes, at which a daemon acts.
struct DiskLimits {
  uint64_t headroom_bytes = 512 << 20;     // below this, the daemon writes no more content
  uint64_t warn_below_bytes = 1024 << 20;  // below this, the daemon warns; 0: it never warns early
};

// Reads the keys `headroom` and `warn_below` of the section `disk`. By default `warn_below` is
// twice the headroom. It must be at least the headroom, or 0.
DiskLimits ReadDiskLimits(Settings section);

// Measures the free space of a daemon's disk every second, sets the metrics of the disk, and warns
// before the disk is full and while it is full. Safe for several threads.
class DiskWatch {
 public:
  // The objects that the members refer to outlive the watch.
  struct Parts {
    std::function<Result<uint64_t>()> free_bytes;  // may block
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::string disk;    // in the warning, for example "the store's disk"
    std::string effect;  // what happens below the headroom, for example "pushes are rejected"
    DiskLimits limits;
  };
  explicit DiskWatch(Parts parts);

  net::awaitable<void> FollowUntilCancelled();
  // Measures the free space once. Blocks.
  void Check();

  // Returns the warning for /readyz, or nullopt if the disk has enough space. The warning names
  // the free space of the last check. Does not block.
  std::optional<std::string> Warning() const;

 private:
  enum class State { kEnough, kNearlyFull, kFull };
  State StateAt(uint64_t free_bytes) const;
  std::string Describe(State state, uint64_t free_bytes) const;

  const Parts parts_;
  prometheus::Gauge& free_bytes_;
  prometheus::Gauge& nearly_full_;
  mutable Mutex mutex_;
  State state_ OUTPORT_GUARDED_BY(mutex_) = State::kEnough;
  std::optional<std::string> warning_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
