#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "registry/base/blocking_pool.h"
#include "registry/base/result.h"

namespace outport::store {

// Work under way that the pool does while its owner goes on with something else, and waits for
// later. The work runs to its end even if the owner is gone: it must own what it touches.
class StartedWork {
 public:
  static StartedWork Start(BlockingPool& pool, std::move_only_function<Result<void>()> work);

  // Waits for the end and returns what the work returned, or the pool's refusal. REQUIRES: not
  // called before.
  net::awaitable<Result<void>> Finish();

 private:
  struct State;
  explicit StartedWork(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;  // shared by the owner and the pool
};

}  // namespace outport::store
