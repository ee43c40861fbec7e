#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "registry/base/blocking_pool.h"
#include "registry/base/result.h"

namespace outport::store {

// Work that runs on the pool. The coroutine that started the work continues meanwhile, and awaits
// the result later. The work runs to its end even if that coroutine is destroyed. So the work must
// own all objects that it uses.
class StartedWork {
 public:
  static StartedWork Start(BlockingPool& pool, std::move_only_function<Result<void>()> work);

  // Waits until the work has ended. Returns the work's result, or an error if the pool has rejected
  // the work. REQUIRES: not called before.
  net::awaitable<Result<void>> Finish();

 private:
  struct State;
  explicit StartedWork(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;  // the work on the pool shares the state
};

}  // namespace outport::store
