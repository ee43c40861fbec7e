#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"
#include "registry/base/task_group.h"

namespace outport {

// Runs at most one piece of work per key at a time. All concurrent callers with that key share the
// result. The work is a task of `tasks`, so it continues when a caller stops waiting. If work for
// `limit` keys is in progress, a new key gets kTooManyRequests. Safe for all strands. Drain `tasks`
// before you destroy the SingleFlight.
template <class Value>
class SingleFlight {
 public:
  using Work = std::function<net::awaitable<Result<Value>>()>;
  struct Outcome {
    Result<Value> result;
    bool joined = false;  // the work was already in progress
  };

  // `what` names the work in error texts: "lookups at the store". `timeout` limits how long a
  // caller waits, not how long the work runs.
  SingleFlight(TaskGroup& tasks, std::string what, size_t limit, std::chrono::milliseconds timeout)
      : tasks_(tasks), what_(std::move(what)), limit_(limit), timeout_(timeout) {}

  // Starts `work` for `key`, or joins the work in progress, and waits for its result.
  net::awaitable<Outcome> Join(std::string key, Work work) {
    bool joined = true;
    const std::shared_ptr<Flight> flight = FindOrBegin(key, std::move(work), joined);
    if (flight == nullptr) {
      co_return Outcome{Error{ErrorCode::kTooManyRequests,
                              "too many " + what_ + " are in progress; retry shortly"}};
    }
    const auto deadline = std::chrono::steady_clock::now() + timeout_;
    for (;;) {
      const uint64_t seen = flight->finished.Version();
      if (auto result = flight->Get()) co_return Outcome{*std::move(result), joined};
      if (!co_await flight->finished.WaitPast(seen, deadline)) break;
    }
    co_return Outcome{
        Error{ErrorCode::kUnavailable, "waiting for " + what_ + ": no result in time; retry"}};
  }

 private:
  struct Flight {
    Notifier finished;
    Mutex mutex;
    std::optional<Result<Value>> result OUTPORT_GUARDED_BY(mutex);

    std::optional<Result<Value>> Get() {
      MutexLock lock(mutex);
      return result;
    }
  };

  std::shared_ptr<Flight> FindOrBegin(const std::string& key, Work work, bool& joined) {
    auto flight = std::make_shared<Flight>();  // shared by the work and its callers
    {
      MutexLock lock(mutex_);
      const auto found = flights_.find(key);
      if (found != flights_.end()) return found->second;
      if (flights_.size() >= limit_) return nullptr;
      flights_.emplace(key, flight);
    }
    joined = false;
    tasks_.Spawn([this, key, flight, run = std::move(work)]() -> net::awaitable<void> {
      std::optional<Result<Value>> result;
      try {
        result = co_await run();
      } catch (const std::exception& e) {
        result = Error{ErrorCode::kInternal, what_ + ": " + e.what()};
      }
      {
        MutexLock lock(mutex_);
        flights_.erase(key);
      }
      {
        MutexLock lock(flight->mutex);
        flight->result = std::move(result);
      }
      flight->finished.Notify();
    });
    return flight;
  }

  TaskGroup& tasks_;
  const std::string what_;
  const size_t limit_;
  const std::chrono::milliseconds timeout_;
  Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
