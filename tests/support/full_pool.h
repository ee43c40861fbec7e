#pragma once

#include <latch>
#include <memory>
#include <thread>

#include "registry/base/blocking_pool.h"

namespace outport {

// Keeps a pool at work and its queue full, for what is new, until Release(). The pool has as many
// threads as it says.
class FullPool {
 public:
  FullPool(BlockingPool& pool, int threads) : state_(std::make_shared<State>(threads)) {
    for (int i = 0; i < threads; ++i) {
      // What is queued before is done first, and may fill the queue meanwhile.
      while (!pool.Post([state = state_] {
        state->started.count_down();
        state->released.wait();
      })) {
        std::this_thread::yield();
      }
    }
    state_->started.wait();
    while (pool.Post([] {})) {
    }
  }
  ~FullPool() { Release(); }
  FullPool(const FullPool&) = delete;
  FullPool& operator=(const FullPool&) = delete;

  void Release() {
    if (state_ != nullptr) state_->released.count_down();
    state_.reset();
  }

 private:
  struct State {
    explicit State(int threads) : started(threads), released(1) {}
    std::latch started;
    std::latch released;
  };
  std::shared_ptr<State> state_;  // shared with the threads
};

}  // namespace outport
