#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/work/store_clock.h"
#include "store/work/work_lease.h"

namespace outport::store {

// Deletes old events of the history of tags. Once a day it reads all events, some thousands a
// second. It keeps the newest event of each tag that exists, whatever its age. If several stores
// share the metadata, one of them sweeps at a time. While the clock waits for an administrator
// after a jump, it deletes nothing. For one thread at a time.
class TagHistorySweep {
 public:
  // The referenced objects outlive this object.
  struct Parts {
    MetaStore& meta;
    const StoreClock& clock;
    BlockingPool& pool;
    Log log;
    std::string owner;               // of the lease
    std::chrono::milliseconds keep;  // the age of the oldest event that stays
  };
  explicit TagHistorySweep(Parts parts);

  // Sweeps until the coroutine is cancelled.
  Awaitable<void> RunUntilCancelled();

  // Reads the next page of events, and deletes the old ones. Returns true if the sweep is complete:
  // then the next call begins a new sweep. After an error the next call reads the same page again.
  // Blocks.
  Result<bool> Step();

 private:
  // An old event. `tag_key` is the key of its tag if the event is the newest one, else empty.
  struct Old {
    std::string key;
    std::string tag_key;
  };
  std::vector<Old> FindOld(const std::vector<KeyValue>& rows) const;
  Result<void> Delete(const std::vector<Old>& old);
  void Turn();

  const Parts parts_;
  WorkLease lease_;
  RepeatedFailure failure_;
  std::string after_;  // the last key that the sweep has read; empty: a sweep begins
  uint64_t deleted_ = 0;
  std::chrono::steady_clock::time_point due_;
};

}  // namespace outport::store
