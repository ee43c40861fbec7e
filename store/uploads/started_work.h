#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "registry/base/blocking_pool.h"
#include "registry/base/result.h"

namespace outport::store {

// Work that runs on the pool while the coroutine that started it does something else and awaits it
// later. The work runs to its end even if that coroutine is destroyed: it must own what it uses.
class StartedWork {
 public:
  static StartedWork Start(BlockingPool& pool, std::move_only_function<Result<void>()> work);

  // Awaits the end of the work. Returns its result, or the pool's rejection. REQUIRES: not called
  // before.
  net::awaitable<Result<void>> Finish();

 private:
  struct State;
  explicit StartedWork(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;  // shared with the pool
};

}  // namespace outport::store
