#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "registry/base/lru_map.h"

namespace outport {

// One attempt to log in with a password.
struct Attempt {
  std::string origin;  // the client's address or network, by which failures are counted
  std::string user;    // the truncated name that the client sent; the user may not exist
};

// Slows down password guessing. It counts failures by origin and by user. The first failures have
// no consequence. After them, each further failure begins a pause that is twice as long as the last
// pause. During the pause, the caller must reject all attempts from that origin, or for that user.
// The count decreases with time.
//
// After a user has logged in from an origin, that pair of user and origin has a count of its own.
// So the user can still log in from there if somebody guesses the user's password elsewhere, or if
// another client at the same address fails.
//
// The number of entries is bounded: a new entry evicts the least recently used one. For one thread
// at a time.
class AttemptLimiter {
 public:
  using Time = std::chrono::nanoseconds;  // since boot

  static constexpr size_t kMaxEntries = 10'000;  // in each map: origins, users, pairs
  static constexpr double kFreeFailuresPerOrigin = 10;
  static constexpr double kFreeFailuresPerUser = 20;
  // Each count decreases by one failure in this time.
  static constexpr std::chrono::seconds kForgivenessPeriod{30};
  static constexpr std::chrono::seconds kMaxPause{60};

  // Returns the time that the client must wait before this attempt; 0: the client may try now.
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
  // The pairs that logged in, with their failures since then.
  LruMap<Pair, FailureScore> known_{kMaxEntries};
};

}  // namespace outport
