#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "registry/base/mutex.h"

namespace outport {

// The longest wait of a test for another thread. A test that waits longer has failed.
inline constexpr std::chrono::seconds kTestDeadline{30};

// A std::latch whose waits have a deadline: a bug then fails the test instead of hanging it.
// Safe for several threads.
class TestLatch {
 public:
  explicit TestLatch(int count = 1) : count_(count) {}
  TestLatch(const TestLatch&) = delete;
  TestLatch& operator=(const TestLatch&) = delete;

  // The `count`-th call wakes all waits.
  void CountDown() {
    MutexLock lock(mutex_);
    if (--count_ <= 0) changed_.NotifyAll();
  }
  // Returns once the count is 0. Fails the test, and returns, at the deadline.
  void Wait() {
    const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
    MutexLock lock(mutex_);
    while (count_ > 0) {
      if (changed_.WaitUntil(mutex_, deadline)) continue;
      if (count_ > 0) ADD_FAILURE() << "the latch was not counted down in time";
      return;
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ OUTPORT_GUARDED_BY(mutex_);
};

// Polls `condition` until it holds; false at the deadline.
template <class Condition>
bool WaitUntil(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace outport
