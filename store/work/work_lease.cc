#include "store/work/work_lease.h"

#include <optional>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

int64_t DurationMs() { return std::chrono::milliseconds(WorkLease::kDuration).count(); }

}  // namespace

WorkLease::WorkLease(MetaStore& meta, const StoreClock& clock, std::string name, std::string owner)
    : meta_(meta),
      clock_(clock),
      name_(std::move(name)),
      key_(keys::Lease(name_)),
      owner_(std::move(owner)) {}

WorkLease::WorkLease(MetaStore& meta, const StoreClock& clock, std::string name, const Owner& owner)
    : meta_(meta),
      clock_(clock),
      name_(std::move(name)),
      key_(keys::Lease(name_)),
      owner_(owner.id()),
      process_(&owner) {}

Result<bool> WorkLease::Acquire() {
  MutexLock turn(turn_);
  const uint64_t held = fence_.load();
  if (held != 0) {
    // Do not write a row, with its sync, at each call.
    TRY(const auto row, ReadRow<v1::LeaseRow>(meta_, key_));
    const bool mine = row.has_value() && row->fence() == held;
    if (mine && row->until_ms() - clock_.NowMs() > DurationMs() / 2) return true;
  }
  uint64_t fence = 0;
  TRY_VOID(Transact(meta_, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(fence, Write(transaction));
    return {};
  }));
  fence_ = fence;
  return fence != 0;
}

Result<uint64_t> WorkLease::Write(MetaTransaction& transaction) const {
  TRY(const auto before, LockRow<v1::LeaseRow>(transaction, key_));
  v1::LeaseRow row = before.value_or(v1::LeaseRow());
  const uint64_t held = fence_.load();
  const int64_t now_ms = clock_.NowMs();
  const bool mine = held != 0 && row.fence() == held;
  if (!mine) {
    TRY(const bool held_elsewhere, IsHeldElsewhere(row));
    if (held_elsewhere) return uint64_t{0};
    row.set_fence(row.fence() + 1);
  }
  row.set_owner(owner_);
  row.set_until_ms(now_ms + DurationMs());
  TRY_VOID(WriteRow(transaction, key_, row));
  return row.fence();
}

Result<bool> WorkLease::IsHeldElsewhere(const v1::LeaseRow& row) const {
  if (row.until_ms() <= clock_.NowMs()) return false;
  if (process_ == nullptr) return true;
  TRY(const bool ended, process_->IsDead(row.owner()));
  return !ended;
}

Result<void> WorkLease::Check(MetaTransaction& transaction) const {
  TRY(const auto row, LockRow<v1::LeaseRow>(transaction, key_));
  const uint64_t held = fence_.load();
  const bool in_force =
      held != 0 && row.has_value() && row->fence() == held && row->until_ms() > clock_.NowMs();
  if (in_force) return {};
  const bool other = row.has_value() && row->fence() != held && !row->owner().empty();
  return Error{ErrorCode::kFailedPrecondition,
               "this process does not hold the lease '" + name_ + "'" +
                   (other ? ": process " + row->owner() + " has acquired it" : "") +
                   "; the work continues when the lease is acquired again"};
}

Result<void> WorkLease::Release() {
  MutexLock turn(turn_);
  const uint64_t held = fence_.exchange(0);
  if (held == 0) return {};
  TRY_VOID(Transact(meta_, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::LeaseRow>(transaction, key_));
    if (!row.has_value() || row->fence() != held) return {};
    row->clear_owner();
    row->clear_until_ms();
    return WriteRow(transaction, key_, *row);
  }));
  return {};
}

}  // namespace outport::store
