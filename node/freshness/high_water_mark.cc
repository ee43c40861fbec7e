#include "node/freshness/high_water_mark.h"

#include <utility>

#include "outport/v1/node.pb.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"

namespace outport::node {
namespace {

std::optional<Mark> ToMark(const std::optional<v1::HighWaterMarkRow>& row) {
  if (!row.has_value()) return std::nullopt;
  Mark mark;
  mark.position.set_epoch(row->epoch());
  mark.position.set_sequence(row->sequence());
  mark.replica_epoch = row->replica_epoch();
  return mark;
}

// Returns whether rows that have passed the mark `by` have also passed `mark`.
bool Covers(const std::optional<Mark>& by, const Mark& mark) {
  return by.has_value() && by->position.epoch() == mark.position.epoch() &&
         by->position.sequence() >= mark.position.sequence() &&
         (by->replica_epoch == mark.replica_epoch || mark.replica_epoch == mark.position.epoch());
}

}  // namespace

Result<std::optional<Mark>> HighWaterMark::Load() {
  TRY(const auto row, ReadRow<v1::HighWaterMarkRow>(meta_, keys::kHighWaterMark));
  return ToMark(row);
}

bool HighWaterMark::IsCovered(const Mark& mark) const {
  MutexLock lock(mutex_);
  return Covers(synced_, mark);
}

Result<void> HighWaterMark::Raise(const Mark& mark) {
  if (IsCovered(mark)) return {};
  const auto transaction = meta_.Begin();
  // The row stays locked until the commit, so that an older mark never overwrites a newer mark.
  TRY(const auto before, LockRow<v1::HighWaterMarkRow>(*transaction, keys::kHighWaterMark));
  if (Covers(ToMark(before), mark)) return {};
  v1::HighWaterMarkRow row;
  row.set_epoch(mark.position.epoch());
  row.set_sequence(mark.position.sequence());
  row.set_replica_epoch(mark.replica_epoch);
  TRY_VOID(WriteRow(*transaction, keys::kHighWaterMark, row));
  TRY_VOID(transaction->Commit());
  MutexLock lock(mutex_);
  if (!Covers(synced_, mark)) synced_ = mark;
  return {};
}

}  // namespace outport::node
