#include "store/gc/active_run.h"

#include <utility>

#include "registry/base/clock.h"
#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/trash.h"
#include "store/gc/candidates.h"

namespace outport::store {

Result<std::unique_ptr<ActiveRun>> ActiveRun::Begin(const CollectorParts& parts, v1::RunRow row,
                                                    Actor by, const Work& also) {
  const int64_t now_ms = parts.store_clock.NowMs();
  row.set_id(NewRunId(now_ms));
  row.set_started_ms(now_ms);
  const bool requested = row.kind() != v1::RUN_KIND_BACKGROUND;
  if (requested) row.set_by(by.name);
  std::unique_ptr<ActiveRun> run(new ActiveRun(parts, std::move(row), std::move(by)));
  TRY_VOID(run->Transact([&](MetaTransaction& transaction, v1::RunRow& next) -> Result<void> {
    next.set_state(v1::RUN_STATE_RUNNING);
    if (requested) {
      run->auditor_.Add(transaction, "gc.run", "run/" + next.id(), nullptr, RowJson(next));
    }
    return also ? also(transaction, next) : Result<void>();
  }));
  return run;
}

Result<std::unique_ptr<ActiveRun>> ActiveRun::Continue(const CollectorParts& parts,
                                                       v1::RunRow row) {
  std::unique_ptr<ActiveRun> run(new ActiveRun(parts, std::move(row), Actor::Store()));
  TRY_VOID(run->Transact([](MetaTransaction&, v1::RunRow& next) -> Result<void> {
    next.set_state(v1::RUN_STATE_RUNNING);
    next.clear_ended_ms();
    return {};
  }));
  return run;
}

Result<std::unique_ptr<ActiveRun>> ActiveRun::BeginUndo(const CollectorParts& parts,
                                                        const std::string& id, Actor by) {
  std::unique_ptr<ActiveRun> run(new ActiveRun(parts, v1::RunRow(), std::move(by)));
  TRY_VOID(outport::Transact(parts.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::RunRow>(transaction, keys::Run(id)));
    const bool is_there = row.has_value() && row->state() != v1::RUN_STATE_FREED &&
                          row->state() != v1::RUN_STATE_RUNNING;
    if (!is_there) {
      return Error{ErrorCode::kFailedPrecondition,
                   "run " + id + " cannot be undone: it is in progress, or its trash is freed"};
    }
    // Content that was not restored may be there now, for example after a push of the image.
    if (row->state() == v1::RUN_STATE_UNDONE && row->not_restored() == 0) {
      return Error{ErrorCode::kFailedPrecondition,
                   "run " + id + " cannot be undone again: " + row->undone_by() +
                       " has already undone it, at " +
                       FormatTime(FromUnixMillis(row->undone_ms()))};
    }
    run->next_ = *row;
    run->next_.set_state(v1::RUN_STATE_UNDOING);
    run->next_.set_undone_by(run->auditor_.actor().name);
    run->next_.clear_undone_ms();
    run->next_.clear_not_restored();
    run->next_.clear_failure();
    if (row->state() != v1::RUN_STATE_UNDOING) {
      run->auditor_.Add(transaction, "gc.undo", "run/" + id, RowJson(row), RowJson(run->next_));
    }
    TRY_VOID(WriteRow(transaction, keys::Run(id), run->next_));
    return parts.lease.Check(transaction);
  }));
  run->Committed();
  return run;
}

// Another process that got the lease meanwhile has marked this run as failed. Then this process
// must not write its own row over that.
Result<void> ActiveRun::RequireMine(MetaTransaction& transaction) const {
  TRY(const auto stored, LockRow<v1::RunRow>(transaction, keys::Run(next_.id())));
  const v1::RunState state = stored.has_value() ? stored->state() : v1::RUN_STATE_UNSPECIFIED;
  if (state == row_.state()) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "another process has ended run " + next_.id() + "; start a new run"};
}

Result<void> ActiveRun::Write(MetaTransaction& transaction, const Work& work) {
  next_ = row_;
  TRY_VOID(work(transaction, next_));
  TRY_VOID(RequireMine(transaction));
  if (next_.SerializeAsString() != row_.SerializeAsString()) {
    TRY_VOID(WriteRow(transaction, keys::Run(next_.id()), next_));
  }
  return parts_.lease.Check(transaction);
}

Result<void> ActiveRun::Transact(const Work& work) {
  TRY_VOID(outport::Transact(
      parts_.meta, [&](MetaTransaction& transaction) { return Write(transaction, work); }));
  Committed();
  return {};
}

// The passes of a run may find the same row again.
void ActiveRun::Skip(const Error& why) {
  if (skipped_.size() >= kMaxCountedRows) return;
  const bool is_new = skipped_.insert(why.message).second;
  if (is_new && skipped_.size() <= kMaxSkippedRows) LogSkippedRow(parts_.log, why);
}

Result<void> ActiveRun::End(v1::RunState state, const std::string& failure) {
  if (skipped_.size() > kMaxSkippedRows) {
    parts_.log.Warning("more corrupt rows skipped",
                       {{"run", id()}, {"count", skipped_.size() - kMaxSkippedRows}});
  }
  skipped_.clear();
  return Transact([&](MetaTransaction&, v1::RunRow& next) -> Result<void> {
    next.set_state(state);
    next.set_failure(failure);
    next.set_ended_ms(parts_.store_clock.NowMs());
    return {};
  });
}

}  // namespace outport::store
