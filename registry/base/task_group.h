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

// A set of running coroutines (tasks). A component's Stop() cancels the tasks and waits for their
// end. If an exception escapes a task, the group logs the exception as a bug, and only that task
// ends. Safe for all threads. Destroy the group only when no task is left: after Drain() returned
// true, or when the context has no more work.
class TaskGroup {
 public:
  TaskGroup(net::any_io_executor executor, Log log);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts the coroutine that `start` returns, on its own strand. The group keeps `start` until the
  // coroutine ends, so the coroutine may use the captures of `start`.
  void Spawn(std::move_only_function<net::awaitable<void>()> start);

  // Requests the cancellation (net::cancellation_type::terminal) of every task, on the task's
  // strand.
  void Cancel();
  // Waits until all tasks have ended. Returns false if tasks are still running at the deadline.
  net::awaitable<bool> Drain(std::chrono::steady_clock::time_point deadline);
  // Like Drain(), but blocks. Call it on a thread that does not run the tasks' context.
  bool DrainBlocking(std::chrono::steady_clock::time_point deadline);

  size_t Count() const;

 private:
  struct Task;
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks' completion handlers
};

}  // namespace outport
