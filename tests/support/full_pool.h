#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "registry/base/blocking_pool.h"
#include "tests/support/test_latch.h"

namespace outport {

// Blocks all threads of a pool and fills its queue, so that it rejects new work until Release().
// `threads` is the number of the pool's threads.
class FullPool {
 public:
  FullPool(BlockingPool& pool, int threads) : state_(std::make_shared<State>(threads)) {
    for (int i = 0; i < threads; ++i) {
      const auto block = [state = state_] {
        state->started.CountDown();
        state->released.Wait();
      };
      // Earlier work may still fill the queue.
      EXPECT_TRUE(WaitUntil([&] { return pool.Post(block); })) << "the pool stays full";
    }
    state_->started.Wait();
    while (pool.Post([] {})) {
    }
  }
  ~FullPool() { Release(); }
  FullPool(const FullPool&) = delete;
  FullPool& operator=(const FullPool&) = delete;

  void Release() {
    if (state_ != nullptr) state_->released.CountDown();
    state_.reset();
  }

 private:
  struct State {
    explicit State(int threads) : started(threads) {}
    TestLatch started;
    TestLatch released;
  };
  std::shared_ptr<State> state_;  // shared with the threads
};

}  // namespace outport
