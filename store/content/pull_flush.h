#pragma once

#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "registry/service/pull_recorder.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Counts the last pulls that the store writes and drops, for its own clients and for nodes.
struct PullMetrics {
  explicit PullMetrics(Metrics& metrics);

  prometheus::Counter& written;  // rows
  prometheus::Counter& full;     // dropped, by reason
  prometheus::Counter& unknown;
  prometheus::Counter& not_permitted;
};

// Writes the pulls that clients made at the store into their rows: every 30 seconds, and at the
// end. So a store that is killed forgets the pulls of the last 30 seconds. Safe for several
// threads.
class PullFlush {
 public:
  // The referenced objects outlive this object.
  struct Parts {
    PullRecorder& pulls;
    MetaStore& meta;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
  };
  explicit PullFlush(Parts parts);

  // Flushes until the coroutine is cancelled.
  Awaitable<void> RunUntilCancelled();
  // Writes the pulls that an earlier call could not write, and then what the recorder has. After a
  // success, the rows tell of every earlier pull, except those that the recorder dropped because
  // too many waited. After an error the pulls stay in memory for the next call. Logs errors.
  // Blocks.
  Result<void> Flush();

 private:
  void TakeAll() OUTPORT_REQUIRES_LOCK(mutex_);
  Result<void> WriteUnwritten() OUTPORT_REQUIRES_LOCK(mutex_);

  const Parts parts_;
  PullMetrics metrics_;
  RepeatedFailure write_failure_;
  RepeatedFailure full_;
  Mutex mutex_;
  std::vector<Pull> unwritten_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
