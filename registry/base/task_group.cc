#include "registry/base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

namespace outport {

struct TaskGroup::Task {
  std::move_only_function<net::awaitable<void>()> start;
  net::strand<net::any_io_executor> strand;
  net::cancellation_signal signal;  // only for the task's strand
};

struct TaskGroup::State {
  State(net::any_io_executor e, Log l) : executor(std::move(e)), log(std::move(l)) {}

  net::any_io_executor executor;
  Log log;
  Notifier changed;
  CondVar emptied;
  mutable Mutex mutex;
  std::list<std::shared_ptr<Task>> tasks OUTPORT_GUARDED_BY(mutex);

  bool Empty() const {
    MutexLock lock(mutex);
    return tasks.empty();
  }
};

TaskGroup::TaskGroup(net::any_io_executor executor, Log log)
    : state_(std::make_shared<State>(std::move(executor), std::move(log))) {}
TaskGroup::~TaskGroup() = default;

void TaskGroup::Spawn(std::move_only_function<net::awaitable<void>()> start) {
  auto task = std::make_shared<Task>(std::move(start), net::make_strand(state_->executor));
  {
    MutexLock lock(state_->mutex);
    state_->tasks.push_back(task);
  }
  auto finish = [state = state_, task](const std::exception_ptr& exception) {
    if (exception != nullptr) {
      try {
        std::rethrow_exception(exception);
      } catch (const std::exception& e) {
        state->log.Error("task failed: exception", {{"error", e.what()}});
      }
    }
    {
      MutexLock lock(state->mutex);
      state->tasks.remove(task);
    }
    state->changed.Notify();
    state->emptied.NotifyAll();
  };
  // `finish` keeps `task` alive, and `task` owns `start`. So the coroutine's captures live until it
  // ends.
  net::co_spawn(
      task->strand, [task] { return task->start(); },
      net::bind_cancellation_slot(task->signal.slot(), std::move(finish)));
}

void TaskGroup::Cancel() {
  MutexLock lock(state_->mutex);
  for (const auto& task : state_->tasks) {
    net::post(task->strand, [task] { task->signal.emit(net::cancellation_type::terminal); });
  }
}

net::awaitable<bool> TaskGroup::Drain(std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const uint64_t seen = state_->changed.Version();
    if (state_->Empty()) co_return true;
    if (!co_await state_->changed.WaitPast(seen, deadline)) co_return state_->Empty();
  }
}

bool TaskGroup::DrainBlocking(std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(state_->mutex);
  while (!state_->tasks.empty()) {
    if (!state_->emptied.WaitUntil(state_->mutex, deadline)) return state_->tasks.empty();
  }
  return true;
}

size_t TaskGroup::Count() const {
  MutexLock lock(state_->mutex);
  return state_->tasks.size();
}

}  // namespace outport
