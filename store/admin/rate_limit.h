#pragma once

#include <chrono>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/lru_map.h"
#include "registry/base/mutex.h"

namespace outport::store {

// A token bucket for each address and one for all of them together. Remembers a bounded number of
// addresses; the one not seen for longest is forgotten first, and by then the bucket for all is
// what limits. Safe for all threads; does not block.
class RateLimit {
 public:
  struct Rate {
    double burst = 1;       // what a full bucket holds
    double per_second = 1;  // how fast it fills again
  };
  struct Options {
    Rate each = {};
    Rate all = {};
    size_t addresses = 1024;
  };
  RateLimit(const Clock& clock, Options options);

  // Takes a token of both buckets; false, and takes none, if one of them is empty.
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
