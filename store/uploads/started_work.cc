#include "store/uploads/started_work.h"

#include <optional>
#include <utility>

#include "registry/base/mutex.h"

namespace outport::store {

struct StartedWork::State {
  Mutex mutex;
  std::optional<Result<void>> result OUTPORT_GUARDED_BY(mutex);
  std::move_only_function<void(Result<void>)> resume OUTPORT_GUARDED_BY(mutex);

  // Passes the result to the waiting coroutine. If no coroutine waits yet, keeps the result.
  void Complete(Result<void> done) {
    std::move_only_function<void(Result<void>)> waiting;
    {
      MutexLock lock(mutex);
      if (resume == nullptr) {
        result = std::move(done);
        return;
      }
      waiting = std::move(resume);
    }
    waiting(std::move(done));
  }

  void Await(std::move_only_function<void(Result<void>)> waiting) {
    std::optional<Result<void>> done;
    {
      MutexLock lock(mutex);
      if (!result.has_value()) {
        resume = std::move(waiting);
        return;
      }
      done = std::move(result);
    }
    waiting(*std::move(done));
  }
};

StartedWork StartedWork::Start(BlockingPool& pool, std::move_only_function<Result<void>()> work) {
  auto state = std::make_shared<State>();
  auto run = [state, work = std::move(work)]() mutable {
    Result<void> done = Guarded(work);
    work = nullptr;  // destroy the objects that the work owns before the coroutine resumes
    state->Complete(std::move(done));
  };
  const bool posted = pool.Post(std::move(run), BlockingPool::Admission::kInProgress);
  if (!posted) state->Complete(pool.Rejection());
  return StartedWork(std::move(state));
}

net::awaitable<Result<void>> StartedWork::Finish() {
  auto initiate = [](auto handler, const std::shared_ptr<State>& state) {
    auto executor = net::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto resume = [shared, executor, guard = net::make_work_guard(executor)](Result<void> done) {
      net::post(executor, [shared, done = std::move(done)]() mutable {
        std::move (*shared)(std::move(done));
      });
    };
    state->Await(std::move(resume));
  };
  co_return co_await net::async_initiate<const net::use_awaitable_t<>&, void(Result<void>)>(
      std::move(initiate), net::use_awaitable, state_);
}

}  // namespace outport::store
