#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/mutex.h"

namespace outport {

// Wakes coroutines when a condition may have changed. Notify() increases the version and resumes
// all waiting coroutines. Safe for all threads. A Notifier must outlive the coroutines that wait
// for it.
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
  // Returns true once Version() != seen, or false if the deadline passes first. REQUIRES: the
  // coroutine runs on a strand, or on a context with a single thread.
  Awaitable<bool> WaitPast(uint64_t seen, std::chrono::steady_clock::time_point deadline);

 private:
  mutable Mutex mutex_;
  uint64_t version_ OUTPORT_GUARDED_BY(mutex_) = 0;
  struct Waiter;
  // The waiting coroutine and a posted wake-up also own the waiter.
  std::vector<std::shared_ptr<Waiter>> waiters_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
