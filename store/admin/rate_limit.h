#pragma once

#include <chrono>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/lru_map.h"
#include "registry/base/mutex.h"

namespace outport::store {

// A rate limit with a token bucket for each address, and a common bucket for all addresses. It
// keeps a bounded number of addresses, and drops the least recently used address first. A dropped
// address that comes back starts with a full bucket, but the common bucket still limits it. Safe
// for all threads; does not block.
class RateLimit {
 public:
  struct Rate {
    double burst = 1;       // tokens in a full bucket
    double per_second = 1;  // tokens added per second
  };
  struct Options {
    Rate each = {};
    Rate all = {};
    size_t addresses = 1024;
  };
  RateLimit(const Clock& clock, Options options);

  // Removes a token from both buckets. If one of them is empty, removes none and returns false.
  bool Admit(const std::string& address);

 private:
  struct Bucket {
    double tokens = 0;
    std::chrono::nanoseconds filled{0};
  };
  static void Fill(Bucket& bucket, const Rate& rate, std::chrono::nanoseconds now);

  const Clock& clock_;
  const Options options_;
  Mutex mutex_;
  Bucket all_ OUTPORT_GUARDED_BY(mutex_);
  LruMap<std::string, Bucket> buckets_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
