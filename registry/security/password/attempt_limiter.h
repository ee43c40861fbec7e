#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "registry/base/lru_map.h"

namespace outport {

// Who tries a password, and whose.
struct Attempt {
  std::string origin;  // a client's address, or what else its attempts are counted by
  std::string user;    // the name that was sent, cut short; there need be no such user
};

// Slows down those who guess passwords, by the address that they come from and by the user that
// they try. The first wrong ones cost nothing; each further one makes a pause that is twice as long
// as the last, in which nothing from that address, or for that user, is tried. What was wrong is
// forgiven with time. Who has come in lately from an address is not held up there by what others do
// wrong, so that nobody is shut out by guesses at its name or by a neighbour behind the same
// address. Bounded; when it is full the one that was seen longest ago is forgotten. For one thread
// at a time.
class AttemptLimiter {
 public:
  using Time = std::chrono::nanoseconds;  // since boot

  static constexpr size_t kEntries = 10'000;  // addresses, users, and those who came in
  static constexpr double kFreeOfOrigin = 10;
  static constexpr double kFreeOfUser = 20;
  static constexpr std::chrono::seconds kForgiven{30};  // one wrong attempt in this time
  static constexpr std::chrono::seconds kLongestPause{60};

  // How long it has to wait before it may be made; 0: not at all.
  std::chrono::seconds Pause(const Attempt& attempt, Time now);
  void Failed(const Attempt& attempt, Time now);
  void Succeeded(const Attempt& attempt);

 private:
  // What one of them has done wrong.
  struct Debt {
    double amount = 0;
    Time at{0};
    Time paused_until{0};
    void Add(double free, Time now);
  };
  using Pair = std::pair<std::string, std::string>;
  static Pair Key(const Attempt& attempt) { return {attempt.origin, attempt.user}; }

  LruMap<std::string, Debt> origins_{kEntries};
  LruMap<std::string, Debt> users_{kEntries};
  LruMap<Pair, Debt> known_{kEntries};  // came in, and what was wrong since
};

}  // namespace outport
