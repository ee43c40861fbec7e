#include "store/gc/collector.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ranges>

#include "registry/base/blocking_pool.h"
#include "registry/records/rows.h"
#include "store/gc/link_sweep.h"
#include "store/gc/runs.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Shorter than half of the lease, so that an idle collector keeps the lease.
constexpr milliseconds kBeat{10'000};
constexpr milliseconds kRetry{5'000};
constexpr milliseconds kMinRest{100};  // so that pushes do not make an idle collector busy
constexpr int64_t kHourMs = 3'600'000;
constexpr int kMaxAttempts = 10;  // of one step of a job, if it waits too long
constexpr int64_t kEarlyLookMs = 1'000;
constexpr std::string_view kLeaseName = "gc";
constexpr int kOrphanSteps = 64;

}  // namespace

Collector::Collector(Parts parts)
    : parts_(std::move(parts)),
      lease_(parts_.meta, parts_.store_clock, std::string(kLeaseName), parts_.owner),
      work_{.meta = parts_.meta,
            .bytes = parts_.bytes,
            .clock = parts_.clock,
            .store_clock = parts_.store_clock,
            .owner = parts_.owner,
            .times = parts_.times,
            .lease = lease_,
            .log = parts_.log},
      purge_(work_, {.free_at_once_below = parts_.limits.free_at_once_below,
                     .headroom_bytes = parts_.limits.headroom_bytes,
                     .demand = parts_.demand}),
      old_garbage_(work_, [this] { return BackgroundRun(); }),
      orphans_(work_),
      failure_({.log = parts_.log, .failed = "garbage collection failed"}),
      orphans_failure_({.log = parts_.log, .failed = "referrers of removed manifests not found"}),
      queue_(parts_.metrics.Gauge("outport_store_gc_queue",
                                  "Condemned links in the queue, counted up to 100,000.")),
      overdue_(parts_.metrics.Gauge("outport_store_gc_overdue",
                                    "Links in the queue that are due for more than an hour of the "
                                    "window.")),
      overdue_trash_(parts_.metrics.Gauge("outport_store_gc_overdue_trash",
                                          "Rows of the trash that are to be freed for more than an "
                                          "hour of the window, counted up to 10,000.")),
      trash_bytes_(
          parts_.metrics.Gauge("outport_store_gc_trash_bytes", "Bytes of the blobs in the trash.")),
      removed_links_(parts_.metrics.Counter("outport_store_gc_links_removed_total",
                                            "Links that the garbage collector removed.")),
      freed_blobs_(parts_.metrics.Counter("outport_store_gc_blobs_freed_total",
                                          "Blobs that left the trash for good.")),
      freed_bytes_(parts_.metrics.Counter("outport_store_gc_freed_bytes_total",
                                          "Bytes of the blobs that left the trash for good.")) {
  if (parts_.demand != nullptr) parts_.demand->OnMore([this] { wake_.Notify(); });
}

Collector::~Collector() {
  if (parts_.demand != nullptr) parts_.demand->OnMore({});
}

Awaitable<void> Collector::WorkUntilCancelled(BlockingPool& pool) {
  co_await net::this_coro::throw_if_cancelled(false);
  net::steady_timer timer(co_await net::this_coro::executor);
  for (;;) {
    const uint64_t seen = wake_.Version();
    auto step = [this]() -> Result<milliseconds> { return Step(); };
    const Result<milliseconds> wait = co_await Blocking(pool, std::move(step));
    auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
    const auto now = steady_clock::now();
    timer.expires_at(now + (wait.has_value() ? rest_ : kMinRest));
    const auto [cancelled] = co_await timer.async_wait(net::as_tuple(net::use_awaitable));
    if (cancelled) co_return;
    co_await wake_.WaitPast(seen, now + (wait.has_value() ? *wait : kRetry));
    state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
  }
}

milliseconds Collector::Step() {
  const auto began = steady_clock::now();
  rest_ = kMinRest;
  const Result<uint64_t> items = DoStep();
  failure_.Record(items.has_value() ? Result<void>() : Result<void>(items.error()));
  if (!items.has_value()) {
    // A wait for a lock that timed out has changed nothing, so the run goes on. After another
    // failure its row may differ from this object. Then the recovery ends the run: in a run that
    // never ends, the trash would stay.
    if (items.error().code != ErrorCode::kDeadlineExceeded) {
      background_.reset();
      recovered_fence_ = 0;
    }
    return kRetry;
  }
  if (*items == 0) return std::min(parts_.limits.interval, kBeat);
  const milliseconds pause(*items * 1000 / std::max<uint64_t>(parts_.limits.max_rate, 1));
  const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
  rest_ = std::max(pause - took, milliseconds(0));
  return rest_;
}

Result<uint64_t> Collector::DoStep() {
  TRY(const bool mine, lease_.Acquire());
  // Another process may have held the lease since the last step.
  const bool lost = recovered_fence_ != 0 && !HoldsLease();
  if (!mine || lost) LeaveToOthers();
  if (!mine) return RemoveObjects();
  if (!HoldsLease()) TRY_VOID(Recover());
  TRY_VOID(RefreshStatus());
  TRY(const bool paused, IsPaused());
  // Before all other work, because pushes wait for it.
  TRY(const uint64_t freed, paused ? Result<uint64_t>(0) : FreeEarly());
  if (freed > 0) return freed;
  // Before the jobs, so that a run also removes the referrers of manifests that are gone. But
  // clients can remove manifests with many referrers again and again, so the jobs do not wait for
  // more than kOrphanSteps.
  const uint64_t orphans = paused ? 0 : StepOrphans();
  if (orphans > 0 && orphan_steps_ < kOrphanSteps) {
    ++orphan_steps_;
    return ItemsOfRows(orphans);
  }
  if (orphans == 0 && orphan_steps_ > 0) --orphan_steps_;
  TRY(const uint64_t worked, StepJob(paused));
  // While the run is in progress, nobody can undo it.
  if (paused) TRY_VOID(EndBackgroundRun());
  const bool busy = worked > 0 || paused || !RunInProgress().empty();
  TRY(const uint64_t background, busy ? Result<uint64_t>(0) : StepBackground());
  return ItemsOfRows(orphans) + worked + background;
}

// Without the lease: removes only the objects of blobs that this process has freed. A pause keeps
// them, too.
Result<uint64_t> Collector::RemoveObjects() {
  TRY(const bool paused, IsPaused());
  if (!paused) TRY_VOID(purge_.RemoveObjects());
  return uint64_t{0};
}

// Looks for the referrers of manifests that are gone. If that fails, logs it and tries again later,
// because the rows of one repository must not hold up an undo, and all other work.
uint64_t Collector::StepOrphans() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  if (now_ms < next_orphans_ms_) return 0;
  const Result<uint64_t> looked = orphans_.Step();
  orphans_failure_.Record(looked.has_value() ? Result<void>() : Result<void>(looked.error()));
  next_orphans_ms_ = looked.has_value() ? 0 : now_ms + kRetry.count();
  return looked.value_or(0);
}

// Frees trash before its window ends, if the disk is short of space. While a job is in progress and
// there is nothing to free, looks only once a second.
Result<uint64_t> Collector::FreeEarly() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  const bool in_job = !RunInProgress().empty();
  if (in_job && now_ms < next_early_ms_) return uint64_t{0};
  // The trash of a run in progress cannot be freed, so end the run now and then.
  const bool old = background_since_ms_ + milliseconds(kBeat).count() <= now_ms;
  if (purge_.IsDiskShort() && background_ != nullptr && old) TRY_VOID(EndBackgroundRun());
  TRY(const uint64_t freed, purge_.StepEarly());
  CountFreed();
  if (freed == 0) next_early_ms_ = now_ms + kEarlyLookMs;
  return freed;
}

// Does the work that nobody requested.
Result<uint64_t> Collector::StepBackground() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  if (now_ms < next_look_ms_) return uint64_t{0};
  uint64_t items = 0;
  if (parts_.limits.window.Contains(parts_.clock.Wall())) {
    TRY(const uint64_t freed, purge_.Step());
    CountFreed();
    TRY(const uint64_t swept, work_.StepWait().count() > 0 ? Result<uint64_t>(0) : SweepDue());
    TRY(const uint64_t scanned, old_garbage_.Step());
    items = freed + swept + ItemsOfRows(scanned);
  }
  if (items == 0) {
    TRY_VOID(EndBackgroundRun());
    next_look_ms_ = now_ms + parts_.limits.interval.count();
  }
  return items;
}

void Collector::CountFreed() {
  freed_blobs_.Increment(static_cast<double>(purge_.freed().blobs() - freed_.blobs()));
  freed_bytes_.Increment(static_cast<double>(purge_.freed().blob_bytes() - freed_.blob_bytes()));
  freed_ = purge_.freed();
}

bool Collector::HoldsLease() const {
  const uint64_t recovered = recovered_fence_;
  return recovered != 0 && recovered == lease_.fence();
}

// Another process holds the lease, and ends what this process has begun. Its gauges and warnings
// tell the state from now on.
void Collector::LeaveToOthers() {
  recovered_fence_ = 0;
  background_.reset();
  next_status_ms_ = 0;
  for (prometheus::Gauge* gauge : {&queue_, &overdue_, &overdue_trash_, &trash_bytes_}) {
    gauge->Set(0);
  }
  MutexLock lock(mutex_);
  job_.reset();
  job_run_.clear();
  warnings_.clear();
}

// Removes the next links that are due. A burst of work reads on from the last row that it removed,
// and only the next burst begins at the front of the queue again. Steps over the links that a
// corrupt row keeps, at most CorruptLinks::kMost.
Result<uint64_t> Collector::SweepDue() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  TRY(std::vector<QueuedLink> due, ReadDueLinks(parts_.meta, now_ms, after_, LinkSweep::kBatch));
  if (due.empty() && after_.empty()) corrupt_links_.Clear();
  std::string last;
  while (!due.empty()) {
    last = KeyOf(due.back());
    corrupt_links_.RemoveFrom(due, now_ms);
    if (!due.empty()) break;
    TRY(due, ReadDueLinks(parts_.meta, now_ms, last, LinkSweep::kBatch));
  }
  if (due.empty()) {
    after_.clear();
    return uint64_t{0};
  }
  const uint64_t tried = due.size();
  TRY(ActiveRun* const run, BackgroundRun());
  const uint64_t before = run->row().removed().links();
  TRY(const auto corrupt, LinkSweep(work_, *run).Run(std::move(due)));
  removed_links_.Increment(static_cast<double>(run->row().removed().links() - before));
  corrupt_links_.Add(corrupt, now_ms);
  after_ = std::move(last);
  return tried;
}

// Returns the run of the background work. One run takes in the bursts of an hour, so that the list
// of runs stays short.
Result<ActiveRun*> Collector::BackgroundRun() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  // Work without a pause must not keep one run in progress for days: its trash would stay.
  const bool old = background_ != nullptr && background_->row().started_ms() + kHourMs < now_ms;
  if (old) TRY_VOID(EndBackgroundRun());
  if (background_ != nullptr) return background_.get();
  background_since_ms_ = now_ms;
  TRY(const std::vector<v1::RunRow> runs, Runs(parts_.meta).All());
  for (const v1::RunRow& run : std::views::reverse(runs)) {
    if (run.started_ms() + kHourMs < now_ms) break;
    if (run.kind() != v1::RUN_KIND_BACKGROUND || run.state() != v1::RUN_STATE_DONE) continue;
    TRY(background_, ActiveRun::Continue(work_, run));
    return background_.get();
  }
  v1::RunRow row;
  row.set_kind(v1::RUN_KIND_BACKGROUND);
  TRY(background_, ActiveRun::Begin(work_, std::move(row), Actor::Store()));
  return background_.get();
}

Result<void> Collector::EndBackgroundRun() {
  if (background_ == nullptr) return {};
  TRY_VOID(background_->End(v1::RUN_STATE_DONE));
  const v1::RunCounts& removed = background_->row().removed();
  parts_.log.Info("garbage collected", {{"run", background_->id()},
                                        {"links", removed.links()},
                                        {"blobs", removed.blobs()},
                                        {"blob_bytes", removed.blob_bytes()}});
  background_.reset();
  return {};
}

// Runs the next step of the job in progress. Returns 0 if there is none.
Result<uint64_t> Collector::StepJob(bool paused) {
  std::shared_ptr<Job> job;
  {
    MutexLock lock(mutex_);
    job = job_;
  }
  if (job == nullptr) return uint64_t{0};
  TRY_VOID(EndBackgroundRun());
  const bool waits = paused || work_.StepWait().count() > 0;
  if (waits && !job->restores()) return uint64_t{0};
  const uint64_t fence = lease_.fence();
  const Result<uint64_t> items = job->Step();
  const bool repeat = !items.has_value() && MayRepeat(items.error(), fence);
  attempts_ = repeat ? attempts_ + 1 : 0;
  if (repeat && attempts_ < kMaxAttempts) return uint64_t{1};
  if (items.has_value() && *items > 0) return items;
  attempts_ = 0;
  if (items.has_value()) {
    parts_.log.Info("collection run ended", {{"run", job->run()}});
  } else {
    parts_.log.Error("collection run failed",
                     {{"run", job->run()}, {"error", items.error().message}});
    // If the row cannot be written, the recovery of the next holder of the lease writes it.
    if (!job->Fail(items.error()).has_value()) recovered_fence_ = 0;
  }
  MutexLock lock(mutex_);
  job_.reset();
  job_run_.clear();
  return uint64_t{1};
}

// Returns whether the step of a job that failed with this error may be repeated: it waited too long
// for a lock, or for longer than its lease. Such a step has changed nothing. If another process has
// held the lease since, that process has ended the run.
bool Collector::MayRepeat(const Error& error, uint64_t fence) {
  if (error.code == ErrorCode::kDeadlineExceeded) return true;
  if (error.code != ErrorCode::kFailedPrecondition) return false;
  const Result<bool> mine = lease_.Acquire();
  return mine.has_value() && *mine && lease_.fence() == fence;
}

// Ends the runs of processes that held the lease before, and continues their undo.
Result<void> Collector::Recover() {
  TRY(const std::vector<v1::RunRow> runs, Runs(parts_.meta).All());
  MutexLock lock(mutex_);
  if (is_starting_ || job_ != nullptr) return {};
  for (const v1::RunRow& run : runs) {
    if (run.state() == v1::RUN_STATE_RUNNING) TRY_VOID(FailRun(run.id()));
    if (run.state() != v1::RUN_STATE_UNDOING || job_ != nullptr) continue;
    TRY(auto undo, ActiveRun::BeginUndo(work_, run.id(),
                                        Actor{.kind = "administrator", .name = run.undone_by()}));
    job_ = std::make_shared<UndoJob>(work_, std::move(undo));
    job_run_ = run.id();
  }
  background_.reset();
  recovered_fence_ = lease_.fence();
  return {};
}

// The trash keeps the content that the run removed. The next run removes the rest.
Result<void> Collector::FailRun(const std::string& id) {
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::RunRow>(transaction, keys::Run(id)));
    if (!row.has_value() || row->state() != v1::RUN_STATE_RUNNING) return {};
    row->set_state(v1::RUN_STATE_FAILED);
    row->set_failure("it was interrupted");
    row->set_ended_ms(parts_.store_clock.NowMs());
    TRY_VOID(WriteRow(transaction, keys::Run(id), *row));
    return lease_.Check(transaction);
  }));
  return {};
}

Result<bool> Collector::IsPaused() const {
  TRY(const auto row, ReadRow<v1::CollectorRow>(parts_.meta, keys::kCollector));
  return (row.has_value() && row->paused()) || parts_.store_clock.Jump().has_value();
}

std::string Collector::RunInProgress() const {
  MutexLock lock(mutex_);
  return job_run_;
}

std::vector<std::string> Collector::Warnings() const {
  MutexLock lock(mutex_);
  return warnings_;
}

void Collector::Stop() {
  Result<void> ended = EndBackgroundRun();
  if (ended.has_value()) ended = lease_.Release();
  if (!ended.has_value()) {
    parts_.log.Warning("collector lease not released", {{"error", ended.error().message}});
  }
}

}  // namespace outport::store
