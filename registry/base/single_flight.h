#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "registry/base/holder.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"
#include "registry/base/task_group.h"

namespace outport {

// Runs at most one piece of work per key at a time. All concurrent callers with that key share the
// result. The work is a task of `tasks`, so it continues when a caller stops waiting. Safe for all
// strands. Drain `tasks` before you destroy the SingleFlight.
//
// If work for `keys` keys is in progress, a new key gets kTooManyRequests. The work belongs to the
// holder that started it. A holder may have work for `keys_of_holder` keys in progress, and for
// more as long as the holder has fewer keys than are free; for another key the holder gets
// kTooManyRequests, too. So a holder that is alone takes at most half of all keys, and less while
// others need them. A holder may always join the work of others.
template <class Value>
class SingleFlight {
 public:
  using Work = std::function<net::awaitable<Result<Value>>()>;
  struct Outcome {
    Result<Value> result;
    bool joined = false;  // the work was already in progress
  };

  struct Limits {
    size_t keys = 0;
    size_t keys_of_holder = SIZE_MAX;
  };
  // `what` names the work in error texts: "lookups at the store". `timeout` limits how long a
  // caller waits, not how long the work runs.
  SingleFlight(TaskGroup& tasks, std::string what, Limits limits, std::chrono::milliseconds timeout)
      : tasks_(tasks), what_(std::move(what)), limits_(limits), timeout_(timeout) {}

  // Starts `work` for `key` in the name of `holder`, or joins the work in progress, and waits for
  // its result. The default is the program itself, for a SingleFlight without a limit for each
  // holder.
  net::awaitable<Outcome> Join(std::string key, Work work, Holder holder = {}) {
    bool joined = true;
    const Result<FlightPtr> begun = FindOrBegin(key, std::move(work), holder, joined);
    if (!begun.has_value()) co_return Outcome{begun.error()};
    const FlightPtr& flight = *begun;
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

  using FlightPtr = std::shared_ptr<Flight>;  // the work and its callers share the flight

  Result<FlightPtr> FindOrBegin(const std::string& key, Work work, const Holder& holder,
                                bool& joined) {
    auto flight = std::make_shared<Flight>();
    {
      MutexLock lock(mutex_);
      const auto found = flights_.find(key);
      if (found != flights_.end()) return found->second;
      TRY_VOID(Admit(holder));
      flights_.emplace(key, flight);
    }
    joined = false;
    tasks_.Spawn([this, key, holder, flight, run = std::move(work)]() -> net::awaitable<void> {
      std::optional<Result<Value>> result;
      try {
        result = co_await run();
      } catch (const std::exception& e) {
        result = Error{ErrorCode::kInternal, what_ + ": " + e.what()};
      }
      {
        MutexLock lock(mutex_);
        flights_.erase(key);
        if (--holders_.at(holder) == 0) holders_.erase(holder);
      }
      {
        MutexLock lock(flight->mutex);
        flight->result = std::move(result);
      }
      flight->finished.Notify();
    });
    return flight;
  }

  // Counts one more key of the holder, unless a limit is reached.
  Result<void> Admit(const Holder& holder) OUTPORT_REQUIRES_LOCK(mutex_) {
    if (flights_.size() >= limits_.keys) {
      return Error{ErrorCode::kTooManyRequests,
                   "too many " + what_ + " are in progress; retry shortly"};
    }
    const auto counted = holders_.try_emplace(holder, 0).first;
    const size_t free = limits_.keys - flights_.size();
    if (counted->second >= limits_.keys_of_holder && counted->second >= free) {
      return Error{ErrorCode::kTooManyRequests,
                   ToString(holder) + " has " + std::to_string(counted->second) + " " + what_ +
                       " in progress, and the places that are free are for others; retry shortly"};
    }
    ++counted->second;
    return {};
  }

  TaskGroup& tasks_;
  const std::string what_;
  const Limits limits_;
  const std::chrono::milliseconds timeout_;
  Mutex mutex_;
  std::unordered_map<std::string, FlightPtr> flights_ OUTPORT_GUARDED_BY(mutex_);
  // The number of keys of each holder that has any.
  std::map<Holder, size_t> holders_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
