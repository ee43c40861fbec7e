#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "registry/base/mutex.h"

namespace outport {

namespace net = boost::asio;

// A condition that coroutines wait for: state changes elsewhere, Notify() bumps the version, and
// everybody who waits past an older version goes on. Safe for all threads. Must outlive its
// waiters.
//
//   for (;;) {
//     const uint64_t seen = notifier.Version();   // before looking
//     if (condition()) break;
//     if (!co_await notifier.WaitPast(seen, deadline)) co_return Timeout();
//   }
class Notifier {
 public:
  uint64_t Version() const;
  void Notify();
  // True once Version() != seen; false when the deadline passed first.
  // REQUIRES: the coroutine runs on a strand, or on a context with a single thread.
  net::awaitable<bool> WaitPast(uint64_t seen, std::chrono::steady_clock::time_point deadline);

 private:
  mutable Mutex mutex_;
  uint64_t version_ OUTPORT_GUARDED_BY(mutex_) = 0;
  // Each shared by its waiting coroutine and the cancellation on its way there.
  std::vector<std::shared_ptr<net::steady_timer>> waiters_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
