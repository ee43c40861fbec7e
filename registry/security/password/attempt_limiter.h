#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "registry/base/lru_map.h"

namespace outport {

// One attempt to log in with a password.
struct Attempt {
  std::string origin;  // what failures are counted by: the client's address, or its network
  std::string user;    // the name that the client sent, truncated; such a user need not exist
};

// Slows down password guessing. It counts failures by origin and by user. Beyond a number of free
// failures, each further one begins a pause, twice as long as the last. During the pause all
// attempts from that origin, or for that user, are rejected. The count decreases with time.
//
// A user that has logged in from an origin has its own count there. Guesses at the name of the user
// from elsewhere, and other clients behind the same address, do not lock it out.
//
// Bounded: when it is full, the entry that was used longest ago is dropped. For one thread at a
// time.
class AttemptLimiter {
 public:
  using Time = std::chrono::nanoseconds;  // since boot

  static constexpr size_t kMaxEntries = 10'000;  // of each: origins, users, pairs that logged in
  static constexpr double kFreeFailuresPerOrigin = 10;
  static constexpr double kFreeFailuresPerUser = 20;
  static constexpr std::chrono::seconds kForgivenessPeriod{30};  // forgives one failure
  static constexpr std::chrono::seconds kMaxPause{60};

  // How long the client must wait before this attempt; 0: it may be made now.
  std::chrono::seconds Pause(const Attempt& attempt, Time now);
  void RecordFailure(const Attempt& attempt, Time now);
  void RecordSuccess(const Attempt& attempt);

 private:
  // The failures of one origin, user or pair.
  struct FailureScore {
    double amount = 0;
    Time at{0};
    Time paused_until{0};
    void Add(double free, Time now);
  };
  using Pair = std::pair<std::string, std::string>;
  static Pair Key(const Attempt& attempt) { return {attempt.origin, attempt.user}; }

  LruMap<std::string, FailureScore> origins_{kMaxEntries};
  LruMap<std::string, FailureScore> users_{kMaxEntries};
  LruMap<Pair, FailureScore> known_{kMaxEntries};  // pairs that logged in; failures since then
};

}  // namespace outport
