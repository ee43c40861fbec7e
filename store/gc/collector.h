#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/gc.pb.h"
#include "registry/base/awaitable.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "store/audit/auditor.h"
#include "store/content/space_demand.h"
#include "store/gc/active_run.h"
#include "store/gc/collector_jobs.h"
#include "store/gc/corrupt_links.h"
#include "store/gc/old_garbage.h"
#include "store/gc/orphan_sweep.h"
#include "store/gc/paged_plan.h"
#include "store/gc/parts.h"
#include "store/gc/plan.h"
#include "store/gc/queue_status.h"
#include "store/gc/recent_plans.h"
#include "store/gc/trash_purge.h"
#include "store/work/daily_window.h"

namespace outport {
class BlockingPool;
}

namespace outport::store {

// The garbage collector. It works in steps: each one removes or frees at most some hundred items in
// a few transactions. Between two steps it waits, so that it stays below the rate. By itself it
// removes links and blobs that are due, and frees the trash, within the hours of its window. The
// runs and undos that administrators request run at any hour, before that work. After a step of the
// store clock, nothing is removed for one lease. Where the disk is short of space, the trash is
// freed early, at any hour and also during a job.
//
// One process at a time collects: the one that holds the work lease "gc". If a process ends during
// a run, the next holder of the lease marks the run as failed. An undo that was interrupted
// continues.
//
// Step() is for one thread at a time. The other methods are safe for several threads. Every method
// but Warnings() and HoldsLease() blocks.
class Collector {
 public:
  struct Limits {
    DailyWindow window = {};
    uint64_t max_rate = 500;                     // items in a second
    uint64_t free_at_once_below = 0;             // free bytes of the disk; 0: never
    uint64_t headroom_bytes = 0;                 // that pushes leave free
    std::chrono::milliseconds interval{60'000};  // between two looks at the queue
  };
  struct Parts {
    MetaStore& meta;
    BlobStore& bytes;
    const Clock& clock;
    StoreClock& store_clock;
    const Owner& owner;
    CollectionTimes times = {};
    Metrics& metrics;
    Log log;
    Limits limits = {};
    SpaceDemand* demand = nullptr;  // of rejected pushes; outlives the collector
    // Writes the pulls that this process has recorded and not yet written. Safe for several
    // threads.
    std::function<Result<void>()> flush_pulls = [] { return Result<void>(); };
    // Returns the nodes whose report of recent pulls is missing.
    std::function<Result<std::vector<std::string>>()> nodes_without_report = [] {
      return std::vector<std::string>();
    };
  };
  explicit Collector(Parts parts);
  ~Collector();

  // Runs Step() on the pool, and waits, until the coroutine is cancelled. A request or a rejected
  // push ends a wait for more work early, but not the wait that keeps the rate.
  Awaitable<void> WorkUntilCancelled(BlockingPool& pool);
  // Does the next piece of work. Returns how long to wait before the next call. Logs failures.
  std::chrono::milliseconds Step();
  // Releases the lease. Call it when the process ends, after the last Step().
  void Stop();

  // The methods of the administrators. `by` is the author for the audit log.
  Result<v1::GetPlanResponse> GetPlan(const v1::GetPlanRequest& request);
  // kFailedPrecondition if the plan no longer holds, if the collector is paused, if another run is
  // in progress, or if another process has the lease. A plan that this process remembers holds
  // while no item of it is in use again: see CheckPlan(). A plan that it does not remember, because
  // it has restarted or has made many plans since, is made again, and must be the same: the name of
  // a plan does not say which items are gone. kInvalidArgument for a plan that nobody can run.
  Result<v1::RunRow> StartRun(const v1::StartRunRequest& request, const Actor& by);
  // Starts the run of another room, such as retention. `make` begins the run and returns its job;
  // the collector then runs the job. Fails as StartRun() does.
  using MakeJob = std::function<Result<std::unique_ptr<Job>>(const CollectorParts&)>;
  Result<v1::RunRow> StartOther(const MakeJob& make);
  // Writes the pulls that this process has recorded and not yet written. Whoever makes a plan calls
  // it first; a start of a run does so itself. After an error there is no plan and no run, because
  // it could delete what a client has just pulled.
  Result<void> FlushPulls() const;
  Result<v1::RunRow> UndoRun(const v1::UndoRunRequest& request, const Actor& by);
  Result<v1::RunRow> GetRun(const v1::GetRunRequest& request) const;
  Result<v1::ListRunsResponse> ListRuns(const v1::ListRunsRequest& request) const;
  Result<v1::Collector> Get() const;
  Result<v1::Collector> Pause(const v1::PauseCollectorRequest& request, const Actor& by);
  // Changes nothing if there is no pause, and no clock to accept.
  Result<v1::Collector> Resume(const v1::ResumeCollectorRequest& request, const Actor& by);

  // Whether this process collects, as of the last step or request. Does not block.
  bool HoldsLease() const;
  // kFailedPrecondition unless this process collects at the time of the transaction.
  Result<void> CheckLease(MetaTransaction& transaction) const { return lease_.Check(transaction); }

  // Returns the warnings for operators, as of the last step. Does not block.
  std::vector<std::string> Warnings() const;

 private:
  // The steps. Each returns the number of items that it looked at.
  Result<uint64_t> DoStep();
  Result<uint64_t> RemoveObjects();
  Result<uint64_t> StepJob(bool paused);
  Result<uint64_t> StepBackground();
  Result<uint64_t> FreeEarly();
  uint64_t StepOrphans();
  void CountFreed();
  bool MayRepeat(const Error& error, uint64_t fence);
  Result<uint64_t> SweepDue();
  void LeaveToOthers();
  Result<void> Recover();
  Result<void> FailRun(const std::string& id);
  Result<ActiveRun*> BackgroundRun();
  Result<void> EndBackgroundRun();
  Result<void> RefreshStatus();
  void AddStuckWarnings(std::vector<std::string>& warnings) const;

  Result<bool> IsPaused() const;
  Result<void> RequireActive() const;
  // Reserves the place of the one job that may be in progress. Released if `start` fails.
  Result<v1::RunRow> StartJob(const std::function<Result<std::unique_ptr<Job>>()>& start);
  Result<std::unique_ptr<Job>> StartWithLease(
      const std::function<Result<std::unique_ptr<Job>>()>& start);
  Result<std::unique_ptr<Job>> MakeRun(const v1::StartRunRequest& request, const Actor& by);
  Result<std::unique_ptr<Job>> MakePlannedRun(const std::string& name, const Actor& by);
  Result<void> RequireReports(const v1::PlanOptions& options) const;
  // Both make a plan of the rows as they are. Call FlushPulls() first.
  Result<Plan> MakePlan(const v1::PlanOptions& options, int64_t as_of_ms);
  Result<Plan> MakePlanAgain(const std::string& name);
  std::string RunInProgress() const;

  const Parts parts_;
  WorkLease lease_;
  const CollectorParts work_;
  TrashPurge purge_;
  OldGarbage old_garbage_;
  OrphanSweep orphans_;
  RepeatedFailure failure_;
  RepeatedFailure orphans_failure_;
  Notifier wake_;

  // The fence of the lease at the last recovery; 0: recover at the next step. Only Step() sets it.
  std::atomic<uint64_t> recovered_fence_ = 0;

  // Only for Step().
  std::unique_ptr<ActiveRun> background_;  // in progress
  std::string after_;                      // the last row of the queue that this burst has read
  CorruptLinks corrupt_links_;             // that the background work leaves alone
  int64_t background_since_ms_ = 0;        // when this burst began
  int64_t next_look_ms_ = 0;               // when the next burst may begin
  int64_t next_early_ms_ = 0;              // when to look for trash to free early, during a job
  int64_t next_status_ms_ = 0;
  int64_t next_orphans_ms_ = 0;        // when to look for orphans, after a failure
  int orphan_steps_ = 0;               // steps for orphans alone, less the steps without any
  std::chrono::milliseconds rest_{0};  // must pass before the next step
  int attempts_ = 0;                   // of a step of the job, since the last one that succeeded
  v1::RunCounts freed_;                // as counted in the metrics

  mutable Mutex mutex_;
  bool is_starting_ OUTPORT_GUARDED_BY(mutex_) = false;  // a job is about to begin
  std::shared_ptr<Job> job_ OUTPORT_GUARDED_BY(mutex_);  // only Step() uses its methods
  std::string job_run_ OUTPORT_GUARDED_BY(mutex_);       // the id of its run
  std::vector<std::string> warnings_ OUTPORT_GUARDED_BY(mutex_);

  RecentPlans<PagedPlan> plans_{Planner::kMaxItems};

  prometheus::Gauge& queue_;
  prometheus::Gauge& overdue_;
  prometheus::Gauge& overdue_trash_;
  prometheus::Gauge& trash_bytes_;
  prometheus::Counter& removed_links_;
  prometheus::Counter& freed_blobs_;
  prometheus::Counter& freed_bytes_;
};

}  // namespace outport::store
