#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <memory>

#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"

namespace outport {

// Coroutines that somebody answers for: each is counted until it ends, so that a Stop() can drain
// them. An exception that escapes one is logged as a bug and ends only that one. Safe for all
// threads. Destroyed only when empty (after Drain or when the context has run out).
class TaskGroup {
 public:
  TaskGroup(net::any_io_executor executor, Log log);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts the coroutine that `start` returns on a strand of its own. `start` is kept until the
  // coroutine ends, so its captures are safe to use.
  void Spawn(std::move_only_function<net::awaitable<void>()> start);

  // Asks every task for cancellation (net::cancellation_type::terminal), each on its strand.
  void Cancel();
  // Waits until no task is left; false if some are left at the deadline.
  net::awaitable<bool> Drain(std::chrono::steady_clock::time_point deadline);
  // The same from a thread that runs no context.
  bool DrainBlocking(std::chrono::steady_clock::time_point deadline);

  size_t Count() const;

 private:
  struct Task;
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks' completion handlers
};

}  // namespace outport
