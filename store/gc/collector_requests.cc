#include <algorithm>
#include <optional>
#include <utility>

#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/gc/candidates.h"
#include "store/gc/collector.h"
#include "store/gc/plan_check.h"
#include "store/gc/plan_name.h"
#include "store/gc/plan_options.h"
#include "store/gc/runs.h"

// The methods of the Collector that administrators call.
namespace outport::store {
namespace {

constexpr uint32_t kDefaultItems = 1000;
constexpr uint32_t kMaxItems = 5000;  // in one response
constexpr uint32_t kDefaultRuns = 100;
constexpr uint32_t kMaxRuns = 1000;
constexpr size_t kMaxWhyBytes = 1000;

Error AnotherRun(const std::string& run) {
  return Error{ErrorCode::kFailedPrecondition,
               run + " is in progress; wait until it has ended ('outportctl gc status')"};
}

}  // namespace

Result<Plan> Collector::MakePlan(const v1::PlanOptions& options, int64_t as_of_ms) {
  TRY_VOID(CheckPlanOptions(options));
  const std::unique_ptr<MetaView> view = parts_.meta.Snapshot();
  Planner planner(*view, parts_.times, options, as_of_ms);
  TRY(const std::vector<std::string> nodes, parts_.nodes_without_report());
  TRY(Plan plan, planner.Make(nodes));
  for (const Error& why : plan.skipped) LogSkippedRow(parts_.log, why);
  return plan;
}

// Makes the plan of this name again, as of its time. kFailedPrecondition if the result differs.
Result<Plan> Collector::MakePlanAgain(const std::string& name) {
  TRY(const PlanName parsed, PlanName::Parse(name));
  TRY_VOID(parsed.RequireKind(PlanKind::kCollection));
  if (parsed.as_of_ms > parts_.store_clock.NowMs()) {
    return Error{ErrorCode::kInvalidArgument,
                 "the plan is from the future; 'outportctl gc plan' makes a new one"};
  }
  TRY(Plan plan, MakePlan(parsed.options, parsed.as_of_ms));
  if (plan.name == name) return plan;
  TRY_VOID(RequireReports(parsed.options));
  return Error{ErrorCode::kFailedPrecondition,
               "the plan no longer holds: the store has restarted since, or has made newer plans, "
               "and the plan would have " +
                   std::to_string(plan.items.size()) +
                   " items now; 'outportctl gc plan' makes a new one"};
}

// Makes the plan once: its other pages come from memory.
Result<v1::GetPlanResponse> Collector::GetPlan(const v1::GetPlanRequest& request) {
  std::shared_ptr<const PagedPlan> plan = plans_.Find(request.plan());
  if (plan == nullptr) {
    if (request.plan().empty()) TRY_VOID(CheckNewPlanOptions(parts_.meta, request.options()));
    TRY_VOID(FlushPulls());
    TRY(const Plan made, request.plan().empty()
                             ? MakePlan(request.options(), parts_.store_clock.NowMs())
                             : MakePlanAgain(request.plan()));
    plan = std::make_shared<const PagedPlan>(made);
    plans_.Add(plan);
  }
  const size_t limit = request.limit() == 0 ? kDefaultItems : std::min(request.limit(), kMaxItems);
  return plan->Page(request.offset(), limit);
}

Result<std::unique_ptr<Job>> Collector::StartWithLease(
    const std::function<Result<std::unique_ptr<Job>>()>& start) {
  TRY(const bool mine, lease_.Acquire());
  if (mine && HoldsLease()) return start();
  return Error{ErrorCode::kFailedPrecondition,
               "this store does not collect garbage at the moment: it has just started, or another "
               "process holds the lease; try again in 30 seconds"};
}

Result<v1::RunRow> Collector::StartJob(const std::function<Result<std::unique_ptr<Job>>()>& start) {
  {
    MutexLock lock(mutex_);
    if (is_starting_) return AnotherRun("another run");
    if (job_ != nullptr) return AnotherRun("run " + job_run_);
    is_starting_ = true;
  }
  Result<std::unique_ptr<Job>> job = StartWithLease(start);
  Result<v1::RunRow> row =
      job.has_value() ? Runs(parts_.meta).Get((*job)->run()) : Result<v1::RunRow>(job.error());
  MutexLock lock(mutex_);
  is_starting_ = false;
  if (!job.has_value()) return row;
  job_run_ = (*job)->run();
  job_ = *std::move(job);
  wake_.Notify();
  return row;
}

Result<v1::RunRow> Collector::StartRun(const v1::StartRunRequest& request, const Actor& by) {
  return StartJob([&] { return MakeRun(request, by); });
}

Result<void> Collector::FlushPulls() const {
  const Result<void> flushed = parts_.flush_pulls();
  if (flushed.has_value()) return {};
  return Error{ErrorCode::kUnavailable,
               "the store could not write the last pulls of its clients, so nobody knows what is "
               "still pulled: " +
                   flushed.error().message +
                   "; free space or check the disk of the metadata, then try again"};
}

Result<v1::RunRow> Collector::StartOther(const MakeJob& make) {
  return StartJob([&]() -> Result<std::unique_ptr<Job>> {
    TRY_VOID(RequireActive());
    TRY_VOID(FlushPulls());
    return make(work_);
  });
}

Result<void> Collector::RequireActive() const {
  TRY(const bool paused, IsPaused());
  if (!paused) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the collector is paused; 'outportctl gc status' says why, and 'outportctl gc "
               "resume' ends the pause"};
}

Result<std::unique_ptr<Job>> Collector::MakeRun(const v1::StartRunRequest& request,
                                                const Actor& by) {
  TRY_VOID(RequireActive());
  TRY_VOID(FlushPulls());
  if (!request.plan().empty()) return MakePlannedRun(request.plan(), by);
  TRY_VOID(CheckRunnable(request.options()));
  TRY_VOID(CheckNewPlanOptions(parts_.meta, request.options()));
  TRY_VOID(RequireReports(request.options()));
  v1::RunRow row;
  row.set_kind(v1::RUN_KIND_REQUESTED);
  row.set_delete_untagged(request.options().delete_untagged());
  row.set_repositories(request.options().repositories());
  TRY(auto run, ActiveRun::Begin(work_, std::move(row), by));
  return std::unique_ptr<Job>(std::make_unique<SweepJob>(work_, std::move(run)));
}

Result<std::unique_ptr<Job>> Collector::MakePlannedRun(const std::string& name, const Actor& by) {
  TRY(const PlanName parsed, PlanName::Parse(name));
  TRY_VOID(parsed.RequireKind(PlanKind::kCollection));
  TRY_VOID(CheckRunnable(parsed.options));
  std::shared_ptr<const PagedPlan> plan = plans_.Find(name);
  if (plan == nullptr) {
    TRY(const Plan made, MakePlanAgain(name));
    plan = std::make_shared<const PagedPlan>(made);
  }
  // A plan from before the reports were missing may have manifests.
  if (plan->counts().manifests() > 0) TRY_VOID(RequireReports(parsed.options));
  TRY(std::vector<PlannedItem> items, plan->Items());
  const std::unique_ptr<MetaView> view = parts_.meta.Snapshot();
  TRY(RemainingPlan remaining, CheckPlan(*view, parts_.times, parsed.as_of_ms, std::move(items)));
  v1::RunRow row;
  row.set_kind(v1::RUN_KIND_REQUESTED);
  row.set_delete_untagged(parsed.options.delete_untagged());
  row.set_repositories(parsed.options.repositories());
  *row.mutable_planned() = plan->counts();
  row.set_gone(remaining.gone);
  TRY(auto run, ActiveRun::Begin(work_, std::move(row), by));
  return std::unique_ptr<Job>(
      std::make_unique<PlannedJob>(work_, std::move(run), std::move(remaining.items)));
}

// Without the reports of recent pulls nobody knows whether an untagged manifest is still pulled.
Result<void> Collector::RequireReports(const v1::PlanOptions& options) const {
  if (!options.delete_untagged()) return {};
  const auto& ignored = options.ignore_nodes();
  TRY(const std::vector<std::string> nodes, parts_.nodes_without_report());
  for (const std::string& node : nodes) {
    if (std::ranges::find(ignored, node) != ignored.end()) continue;
    return Error{ErrorCode::kFailedPrecondition,
                 "node " + node +
                     " has not reported its recent pulls; wait for it, or ignore it with "
                     "--ignore-node " +
                     node,
                 {node}};
  }
  return {};
}

Result<v1::RunRow> Collector::UndoRun(const v1::UndoRunRequest& request, const Actor& by) {
  TRY(const v1::RunRow run, Runs(parts_.meta).Get(request.id()));
  if (run.state() == v1::RUN_STATE_FREED) {
    return Error{ErrorCode::kFailedPrecondition,
                 "run " + run.id() + " cannot be undone: its trash window has ended"};
  }
  if (run.ended_ms() > parts_.store_clock.NowMs()) {
    return Error{ErrorCode::kFailedPrecondition,
                 "run " + run.id() +
                     " cannot be undone yet: it collects the deletions by clients until " +
                     FormatTime(FromUnixMillis(run.ended_ms())) +
                     "; undo it after that, or restore single tags with 'outportctl tag restore'"};
  }
  return StartJob([&]() -> Result<std::unique_ptr<Job>> {
    TRY(auto undo, ActiveRun::BeginUndo(work_, run.id(), by));
    return std::unique_ptr<Job>(std::make_unique<UndoJob>(work_, std::move(undo)));
  });
}

Result<v1::RunRow> Collector::GetRun(const v1::GetRunRequest& request) const {
  const Runs runs(parts_.meta);
  TRY(v1::RunRow run, runs.Get(request.id()));
  return runs.Shown(std::move(run), parts_.store_clock.NowMs());
}

Result<v1::ListRunsResponse> Collector::ListRuns(const v1::ListRunsRequest& request) const {
  const size_t limit = request.limit() == 0 ? kDefaultRuns : std::min(request.limit(), kMaxRuns);
  const Runs runs(parts_.meta);
  TRY(Runs::Page page, runs.List(request.before(), limit));
  v1::ListRunsResponse response;
  for (v1::RunRow& run : page.runs) {
    TRY(*response.add_runs(), runs.Shown(std::move(run), parts_.store_clock.NowMs()));
  }
  response.set_next(std::move(page.next));
  return response;
}

Result<v1::Collector> Collector::Get() const {
  v1::Collector state;
  TRY(const auto row, ReadRow<v1::CollectorRow>(parts_.meta, keys::kCollector));
  if (row.has_value()) {
    state.set_paused(row->paused());
    state.set_paused_by(row->by());
    state.set_paused_why(row->why());
    state.set_paused_since_ms(row->since_ms());
    state.set_scanned(row->scanned());
  }
  state.set_window(parts_.limits.window.ToString());
  state.set_in_window(parts_.limits.window.Contains(parts_.clock.Wall()));
  state.set_grace_ms(parts_.times.grace.count());
  state.set_lease_ms(parts_.times.lease.count());
  state.set_trash_ms(parts_.times.trash.count());
  const int64_t now_ms = parts_.store_clock.NowMs();
  const auto overdue_after = OverdueAfter(parts_.limits.window, parts_.clock.Wall());
  TRY(const QueueStatus queue, ReadQueueStatus(parts_.meta, now_ms, overdue_after));
  state.set_condemned(queue.condemned);
  TRY(const uint64_t orphaned, CountOrphanedRows(parts_.meta));
  state.set_orphaned(orphaned);
  state.set_overdue(queue.overdue);
  state.set_oldest_due_ms(queue.oldest_due_ms);
  TRY(const TrashStatus trash, ReadTrashStatus(parts_.meta));
  state.set_trash_blobs(trash.blobs);
  state.set_trash_bytes(trash.bytes);
  TRY(const OverdueTrash late, ReadOverdueTrash(parts_.meta, parts_.times, now_ms, overdue_after));
  state.set_overdue_trash(late.rows);
  state.set_stuck_objects(purge_.stuck_objects());
  state.set_store_clock_ms(now_ms);
  if (const auto jump = parts_.store_clock.Jump()) state.set_clock_jump_ms(jump->count());
  state.set_clock_step_wait_ms(work_.StepWait().count());
  state.set_running(RunInProgress());
  return state;
}

Result<v1::Collector> Collector::Pause(const v1::PauseCollectorRequest& request, const Actor& by) {
  const Auditor auditor(by, parts_.clock);
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto before, LockRow<v1::CollectorRow>(transaction, keys::kCollector));
    v1::CollectorRow row = before.value_or(v1::CollectorRow());
    row.set_paused(true);
    row.set_by(by.name);
    row.set_why(request.why().substr(0, kMaxWhyBytes));
    row.set_since_ms(parts_.store_clock.NowMs());
    auditor.Add(transaction, "gc.pause", "collector", RowJson(before), RowJson(row));
    return WriteRow(transaction, keys::kCollector, row);
  }));
  return Get();
}

Result<v1::Collector> Collector::Resume(const v1::ResumeCollectorRequest& request,
                                        const Actor& by) {
  const std::optional<std::string> warning = parts_.store_clock.Warning();
  const bool waits = parts_.store_clock.Jump().has_value() && warning.has_value();
  if (waits && !request.accept_clock()) return Error{ErrorCode::kFailedPrecondition, *warning};
  const Auditor auditor(by, parts_.clock);
  const bool accept = request.accept_clock() && warning.has_value();
  if (accept) TRY_VOID(parts_.store_clock.Accept(parts_.meta));
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto before, LockRow<v1::CollectorRow>(transaction, keys::kCollector));
    v1::CollectorRow row = before.value_or(v1::CollectorRow());
    if (!accept && !row.paused()) return {};  // there is nothing to resume
    row.clear_paused();
    row.clear_by();
    row.clear_why();
    row.clear_since_ms();
    auditor.Add(transaction, accept ? "gc.accept_clock" : "gc.resume", "collector", RowJson(before),
                RowJson(row));
    return WriteRow(transaction, keys::kCollector, row);
  }));
  wake_.Notify();
  return Get();
}

}  // namespace outport::store
