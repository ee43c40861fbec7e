#pragma once

#include <chrono>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/lru_map.h"
#include "registry/base/mutex.h"

namespace outport {

// A rate limit with a token bucket for each key (an address, a node or a holder), and a common
// bucket for all keys. It keeps a bounded number of keys, and drops the least recently used key
// first. A dropped key that comes back starts with a full bucket, but the common bucket still
// limits it. Safe for all threads; does not block.
class RateLimit {
 public:
  struct Rate {
    double burst = 1;       // tokens in a full bucket
    double per_second = 1;  // tokens added per second; 0: none
  };
  struct Options {
    Rate each = {};
    Rate all = {};
    size_t keys = 1024;
  };
  RateLimit(const Clock& clock, Options options);

  // Removes a token from both buckets. If one of them is empty, removes none and returns false.
  bool Admit(const std::string& key);

  struct Reservation {
    bool granted = false;
    // If granted: the caller may go on after this time. Else: a retry may succeed after it.
    std::chrono::nanoseconds wait{0};
  };
  // Removes `tokens` (at most as many as a full bucket has), also before they are there: then the
  // caller waits for them. If the wait were longer than `max_wait`, removes none.
  Reservation Reserve(const std::string& key, double tokens, std::chrono::nanoseconds max_wait);

 private:
  struct Bucket {
    double tokens = 0;
    std::chrono::nanoseconds filled{0};
  };
  static std::chrono::nanoseconds WaitFor(double tokens, const Bucket& bucket, const Rate& rate);
  static void Fill(Bucket& bucket, const Rate& rate, std::chrono::nanoseconds now);

  const Clock& clock_;
  const Options options_;
  Mutex mutex_;
  Bucket all_ OUTPORT_GUARDED_BY(mutex_);
  LruMap<std::string, Bucket> buckets_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
