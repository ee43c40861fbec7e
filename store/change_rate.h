#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "registry/base/awaitable.h"
#include "registry/base/clock.h"
#include "registry/base/lru_map.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/rate_limit.h"
#include "registry/service/registry.h"

namespace outport::store {

// Limits how fast the requests of one holder change manifests, tags and repositories. Each change
// is in the change log, which all nodes follow, so no holder may fill the log alone.
//
// A holder that changes faster waits a short time for each change, and is rejected only if many of
// its changes wait. The garbage collector, retention and administrators are not limited. Each
// process limits the changes that it makes. Safe for all threads.
class ChangeRate {
 public:
  struct Limits {
    double per_second = 20;
    double burst = 200;
    double new_repositories_per_hour = 1000;
  };
  ChangeRate(const Clock& clock, Metrics& metrics, Limits limits);

  // Waits until the caller may make this number of changes. kTooManyRequests, with the time to
  // wait, if that takes more than a second. Returns the error of caller.recheck() after a wait.
  Awaitable<Result<void>> AwaitChange(const Caller& caller, size_t changes = 1);

  // Counts a repository that a request of `holder` is about to create. Counts it once an hour,
  // however many requests are about to create it. kTooManyRequests if the holder has created too
  // many. Does not block.
  Result<void> AdmitRepository(const Holder& holder, const RepositoryName& repository);

 private:
  const Clock& clock_;
  const Limits limits_;
  prometheus::Counter& rejected_changes_;
  prometheus::Counter& rejected_repositories_;
  RateLimit changes_;
  RateLimit repositories_;
  Mutex mutex_;
  // When a holder's new repository was counted, by holder and repository.
  LruMap<std::string, std::chrono::nanoseconds> counted_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
