#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"

namespace outport {

namespace net = boost::asio;

// A fixed number of threads for work that blocks: disk, RocksDB, bcrypt. The queue is bounded: work
// that finds it full is refused at once, not queued. An exception that escapes a piece of work is
// logged as a bug and ends only that piece: whoever waits for it must not depend on it (Guarded).
// Safe for all threads.
class BlockingPool {
 public:
  // Whose work it is. What is new can be refused, and its client comes again. What is under way (a
  // body, an upload) cannot without a loss: it waits its turn in the same queue, beyond the limit
  // of what is new; there is one such piece of work for a connection or a stream, and those are
  // limited.
  enum class Admission { kNew, kUnderWay };
  static constexpr size_t kUnderWayFactor = 4;  // times the limit: for them the queue is full

  // `name` stands in the threads' names (at most 10 characters) and in refusals.
  BlockingPool(std::string name, size_t threads, size_t queue_limit, Log log = Log::Nowhere());
  // Runs what is queued, then joins.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Queues `work`; false, and `work` is dropped, when the queue is full or the pool stops.
  [[nodiscard]] bool Post(std::move_only_function<void()> work,
                          Admission admission = Admission::kNew);
  // Refuses new work, runs what is queued, joins. REQUIRES: not called from the pool.
  void Stop();

  // What is told to those who find the queue full.
  Error Refusal() const;

 private:
  void Run();

  const std::string name_;
  const size_t queue_limit_;
  const Log log_;
  Mutex mutex_;
  CondVar ready_;
  std::deque<std::move_only_function<void()>> queue_ OUTPORT_GUARDED_BY(mutex_);
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// What `work`, a callable that returns a Result, returns; kInternal for an exception: nobody would
// learn of the work's end, if it left the work.
template <class Work>
std::invoke_result_t<Work&> Guarded(Work& work) {
  try {
    return work();
  } catch (const std::exception& exception) {
    return Error{ErrorCode::kInternal, "an exception: " + std::string(exception.what())};
  }
}

// Runs `work`, a callable that returns a Result, on the pool, and resumes the caller on its own
// executor with what it returned; the pool's refusal (kTooManyRequests) if the queue is full, and
// kInternal for an exception.
// `work` is run to its end even if the caller's coroutine is destroyed: it must own what it
// touches, or the caller must not be destroyed before.
// REQUIRES: the pool is stopped before the caller's execution context is destroyed: its threads
// hold the executor for a moment after the caller went on.
template <class Work, class R = std::invoke_result_t<Work&>>
net::awaitable<R> Blocking(BlockingPool& pool, Work work,
                           BlockingPool::Admission admission = BlockingPool::Admission::kNew) {
  auto initiate = [&pool, admission](auto handler, Work inner) {
    auto executor = net::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto finish = [shared, executor](R result) {
      net::dispatch(executor, [shared, result = std::move(result)]() mutable {
        std::move (*shared)(std::move(result));
      });
    };
    auto run = [finish, inner = std::move(inner),
                guard = net::make_work_guard(executor)]() mutable {
      // What the work owns is free before the caller goes on.
      auto call = [&inner]() -> R {
        Work own = std::move(inner);
        return Guarded(own);
      };
      finish(call());
    };
    if (!pool.Post(std::move(run), admission)) {
      net::post(executor, [shared, error = pool.Refusal()]() mutable {
        std::move (*shared)(R(std::move(error)));
      });
    }
  };
  co_return co_await net::async_initiate<const net::use_awaitable_t<>&, void(R)>(
      std::move(initiate), net::use_awaitable, std::move(work));
}

// The same for work that is under way.
template <class Work>
auto BlockingUnderWay(BlockingPool& pool, Work work) {
  return Blocking(pool, std::move(work), BlockingPool::Admission::kUnderWay);
}

}  // namespace outport
