#pragma once

#include <chrono>

#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"

namespace outport::store {

// Persists the store clock, and renews the lease of this process as an owner, while the process
// runs. Logs failures. Safe for several threads.
class Heartbeat {
 public:
  struct Parts {
    MetaStore& meta;
    StoreClock& clock;
    Owner& owner;
    BlockingPool& pool;
    Log log;
  };
  explicit Heartbeat(Parts parts);

  // Loads the store clock, and does what Beat() does, so that the clock and the owner can be used.
  // A failed write is only logged: with a full disk, pulls still work. Deletes the rows of owners
  // that ended long ago. Blocks.
  Result<void> Start();
  // Saves the clock and renews the lease. Blocks.
  void Beat();
  // Calls Beat() periodically, until the coroutine is cancelled.
  Awaitable<void> BeatUntilCancelled();
  // Saves the clock for the last time, and ends the lease. Call it after the last write. Blocks.
  void Stop();

 private:
  const Parts parts_;
  RepeatedFailure clock_failure_;
  RepeatedFailure owner_failure_;
};

}  // namespace outport::store
