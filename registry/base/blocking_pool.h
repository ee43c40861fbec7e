#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "registry/base/fair_queue.h"
#include "registry/base/holder.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"

namespace outport {

namespace net = boost::asio;

// A fixed number of threads for work that blocks: disk, RocksDB, bcrypt. The threads divide their
// time fairly among the holders of the work (FairQueue), and a pool of more than two threads keeps
// two of them free from the work of any single holder. Work without a holder belongs to the program
// itself.
//
// The queue is bounded. If it is full, the holder that has most in it loses its newest piece to a
// holder that has less; otherwise the pool rejects new work at once. If an exception escapes a
// piece of work, the pool logs the exception as a bug and continues. A caller that waits for that
// work would wait forever, so wrap the work in Guarded(). Safe for all threads.
class BlockingPool {
 public:
  // kNew: the first work of a request. The pool may reject it; the client then retries.
  // kInProgress: further work of a body or upload that has begun. A rejection would waste the bytes
  // already transferred, so the queue admits kInProgressFactor times as many pieces. Each
  // connection or stream has at most one such piece of work at a time, and connections and streams
  // are limited.
  enum class Admission { kNew, kInProgress };
  static constexpr size_t kInProgressFactor = 4;  // kInProgress may fill 4 * `queue_limit`
  static constexpr size_t kSpareThreads = 2;      // that one holder never has
  using Work = FairQueue::Work;

  // `name` (at most 10 characters) appears in the threads' names and in the text of Rejection().
  BlockingPool(std::string name, size_t threads, size_t queue_limit, Log log = Log::Nowhere());
  // Calls Stop().
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Queues `work`. Returns false and drops `work` if the queue is full or the pool is stopping.
  [[nodiscard]] bool Post(Work work, Admission admission = Admission::kNew);
  // Queues a piece of work of `holder`. If the piece is evicted later, the pool calls
  // piece.refuse() on another thread instead of piece.run().
  [[nodiscard]] bool Post(const Holder& holder, FairQueue::Piece piece,
                          Admission admission = Admission::kNew);
  // Rejects new work, runs the queued work and joins the threads. REQUIRES: the caller is not a
  // thread of the pool.
  void Stop();

  // The error to return when Post() rejected the work: kTooManyRequests.
  Error Rejection() const;

 private:
  struct Done {
    FairQueue::Next piece;
    FairQueue::Seconds taken;
  };
  // Waits for the next piece of work. nullopt: the thread ends.
  std::optional<FairQueue::Next> Await(const std::optional<Done>& done);
  void Run();

  const std::string name_;
  const size_t queue_limit_;
  const Log log_;
  Mutex mutex_;
  CondVar ready_;
  FairQueue queue_ OUTPORT_GUARDED_BY(mutex_);
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

// Runs `work`, a callable that returns a Result, and returns this Result; kInternal if `work`
// throws.
template <class Work>
std::invoke_result_t<Work&> Guarded(Work& work) {
  try {
    return work();
  } catch (const std::exception& exception) {
    return Error{ErrorCode::kInternal,
                 "the work threw an exception: " + std::string(exception.what())};
  }
}

// Runs `work`, a callable that returns a Result, on the pool for `holder`. Then resumes the caller
// with this Result, on the caller's own executor. kTooManyRequests if the queue is full or if new
// work of other holders evicts the queued work, kInternal if `work` throws. `work` runs to its end
// even if the caller's coroutine is destroyed. So `work` must own its data, or the caller must live
// until `work` ends.
// REQUIRES: the pool is stopped before the caller's execution context is destroyed, because the
// pool's threads hold the executor for a moment after they resume the caller.
template <class Work, class R = std::invoke_result_t<Work&>>
net::awaitable<R> Blocking(BlockingPool& pool, Holder holder, Work work,
                           BlockingPool::Admission admission = BlockingPool::Admission::kNew) {
  auto initiate = [&pool, &holder, admission](auto handler, Work inner) {
    auto executor = net::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto finish = [shared, executor](R result) {
      net::dispatch(executor, [shared, result = std::move(result)]() mutable {
        std::move (*shared)(std::move(result));
      });
    };
    auto run = [finish, inner = std::move(inner),
                guard = net::make_work_guard(executor)]() mutable {
      // Destroys the data of `work` before the caller resumes.
      auto call = [&inner]() -> R {
        Work own = std::move(inner);
        return Guarded(own);
      };
      finish(call());
    };
    auto refuse = [&pool, shared, executor] {
      net::post(executor, [shared, error = pool.Rejection()]() mutable {
        std::move (*shared)(R(std::move(error)));
      });
    };
    FairQueue::Piece piece{.run = std::move(run)};
    const bool is_evictable =
        admission == BlockingPool::Admission::kNew && holder.kind != HolderKind::kSystem;
    if (is_evictable) piece.refuse = refuse;
    if (!pool.Post(holder, std::move(piece), admission)) refuse();
  };
  co_return co_await net::async_initiate<const net::use_awaitable_t<>&, void(R)>(
      std::move(initiate), net::use_awaitable, std::move(work));
}

// The same for work of the program itself.
template <class Work, class R = std::invoke_result_t<Work&>>
net::awaitable<R> Blocking(BlockingPool& pool, Work work,
                           BlockingPool::Admission admission = BlockingPool::Admission::kNew) {
  return Blocking(pool, Holder(), std::move(work), admission);
}

// Like Blocking(), but admits the work as Admission::kInProgress.
template <class Work>
auto BlockingInProgress(BlockingPool& pool, Work work) {
  return Blocking(pool, std::move(work), BlockingPool::Admission::kInProgress);
}

}  // namespace outport
