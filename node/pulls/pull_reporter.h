#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "node/pulls/pulled_rows.h"
#include "node/upstream/store_channel.h"
#include "outport/v1/replication.pb.h"
#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/task_group.h"

namespace outport::node {

// Reports the pulls of this node's clients to the store. It moves them from the recorder into rows
// every 30 seconds, and at the end: a node that is killed forgets at most 30 seconds of pulls.
// While the store is connected, it reports the rows each minute, retries with backoff and full
// jitter, and deletes the rows that the store has acknowledged. It reports every 10 minutes even if
// there was no pull, so that the store knows that nothing is missing.
//
// Start() and Stop() are safe for all threads.
class PullReporter {
 public:
  struct Intervals {
    std::chrono::milliseconds check{1'000};
    std::chrono::milliseconds flush{30'000};
    std::chrono::milliseconds report{60'000};
    std::chrono::milliseconds empty_report{600'000};
    std::chrono::milliseconds longest_backoff{600'000};
  };
  // The referenced objects outlive the reporter.
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    PullRecorder& pulls;                    // its times are milliseconds since boot
    MetaStore& meta;
    BlockingPool& pool;
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::function<bool()> store_is_connected;
    Intervals intervals = {};
  };
  explicit PullReporter(Parts parts);

  void Start();
  // Ends the reports after a last flush. Drain `tasks` afterwards.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;

  Awaitable<void> Run();
  // Moves the recorder's pulls into rows. Returns the time since boot before which every pull is in
  // a row. Blocks.
  Result<int64_t> Flush();
  // Reports all rows, and flushes first.
  Awaitable<Result<void>> Report();
  // A part of a report, and the rows that the store acknowledges with it.
  struct Batch {
    std::vector<KeyValue> rows;
    v1::ReportPullsRequest request;
  };
  Result<Batch> ReadBatch(const std::string& after, int64_t complete_before_ms) const;
  Awaitable<Result<void>> Send(const Batch& batch);
  void CountDropped(uint64_t dropped);
  void ScheduleReport(const Result<void>& reported);
  std::chrono::milliseconds Jitter(std::chrono::milliseconds most);
  bool IsStopping() const;

  const Parts parts_;
  prometheus::Counter& reported_;
  prometheus::Counter& dropped_counter_;
  RepeatedFailure flush_failure_;
  RepeatedFailure report_failure_;
  RepeatedFailure drop_failure_;
  Notifier stopped_;

  // Only Run()'s coroutine, and the blocking work that it awaits, use these members.
  PulledRows rows_;
  PullRecorder::Taken unwritten_;
  uint64_t dropped_ = 0;  // since the last report
  std::minstd_rand random_;
  int failures_ = 0;
  bool was_connected_ = false;
  Time next_flush_;
  Time next_report_;
  std::optional<Time> last_report_;

  mutable Mutex mutex_;
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
};

}  // namespace outport::node
