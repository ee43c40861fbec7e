#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/mutex.h"

namespace outport {

// Wakes coroutines when a condition may have changed. Notify() increases the version and resumes
// every coroutine that waits past an older version. Safe for all threads. Must outlive its waiters.
//
//   for (;;) {
//     const uint64_t seen = notifier.Version();   // before the check
//     if (condition()) break;
//     if (!co_await notifier.WaitPast(seen, deadline)) co_return Timeout();
//   }
class Notifier {
 public:
  uint64_t Version() const;
  void Notify();
  // True once Version() != seen; false when the deadline passed first.
  // REQUIRES: the coroutine runs on a strand, or on a context with a single thread.
  Awaitable<bool> WaitPast(uint64_t seen, std::chrono::steady_clock::time_point deadline);

 private:
  mutable Mutex mutex_;
  uint64_t version_ OUTPORT_GUARDED_BY(mutex_) = 0;
  struct Waiter;
  // Shared with the waiting coroutine and with a posted wake-up.
  std::vector<std::shared_ptr<Waiter>> waiters_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
