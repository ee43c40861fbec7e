#include "store/uploads/orphaned_work.h"

#include <utility>

#include "registry/base/repeat.h"
#include "registry/records/intent_ledger.h"
#include "store/work/owner.h"

namespace outport::store {

OrphanedWork::OrphanedWork(Blobs& blobs, Uploads& uploads, BlockingPool& pool)
    : blobs_(blobs),
      uploads_(uploads),
      pool_(pool),
      log_(blobs.parts().log),
      watch_(blobs.parts().meta, blobs.parts().owner, blobs.parts().clock),
      lease_(blobs.parts().meta, blobs.parts().store_clock, "orphaned-work", blobs.parts().owner),
      failure_({.log = log_, .failed = "orphaned work not settled"}) {}

Result<bool> OrphanedWork::MaySettle(const std::string& owner) {
  TRY(const bool ended, watch_.HasEnded(owner));
  return ended ? lease_.Acquire() : Result<bool>(false);
}

Result<OrphanedWork::Settled> OrphanedWork::Settle() {
  const auto may_settle = [this](const std::string& owner) { return MaySettle(owner); };
  const auto fence = [this](MetaTransaction& transaction) { return lease_.Check(transaction); };
  const Result<IntentLedger::Page> commits =
      blobs_.SettleIntents(commits_after_, may_settle, fence);
  if (commits.has_value()) commits_after_ = commits->next;
  // Uploads do not wait for commits that cannot be undone.
  const Result<size_t> uploads =
      uploads_.TakeOverPage(uploads_after_, {.is_dead = may_settle, .fence = fence});
  const Settled settled{.commits = commits.has_value() ? commits->settled : 0,
                        .uploads = uploads.value_or(0)};
  if (settled.commits + settled.uploads > 0) {
    log_.Info("orphaned work settled",
              {{"commits", settled.commits}, {"uploads", settled.uploads}});
  }
  TRY_VOID(commits);
  if (commits->corrupt.has_value()) return *commits->corrupt;
  TRY_VOID(uploads);
  return settled;
}

Awaitable<void> OrphanedWork::SettleUntilCancelled() {
  auto settle = [this] {
    const Result<Settled> settled = Settle();
    failure_.Record(settled.has_value() ? Result<void>() : Result<void>(settled.error()));
  };
  co_await RepeatBlockingUntilCancelled(Owner::kRenewPeriod, pool_, std::move(settle));
}

}  // namespace outport::store
