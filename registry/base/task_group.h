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

// A set of running coroutines (tasks) that a Stop() can cancel and drain. An exception that escapes
// a task is logged as a bug and ends only that task. Safe for all threads. Destroy it only when it
// is empty: after Drain(), or when the context has no more work.
class TaskGroup {
 public:
  TaskGroup(net::any_io_executor executor, Log log);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts the coroutine that `start` returns, on its own strand. `start` is kept until the
  // coroutine ends, so the coroutine may use its captures.
  void Spawn(std::move_only_function<net::awaitable<void>()> start);

  // Requests cancellation (net::cancellation_type::terminal) of every task, on its strand.
  void Cancel();
  // Waits until all tasks have ended; false if some have not at the deadline.
  net::awaitable<bool> Drain(std::chrono::steady_clock::time_point deadline);
  // Drain() for a thread that does not run the context.
  bool DrainBlocking(std::chrono::steady_clock::time_point deadline);

  size_t Count() const;

 private:
  struct Task;
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks' completion handlers
};

}  // namespace outport
