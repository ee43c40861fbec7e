#include "node/freshness/shown_mark.h"

#include <string>
#include <string_view>
#include <utility>

#include "outport/v1/node.pb.h"

namespace outport::node {
namespace {

constexpr std::string_view kShown = "shown";

Result<std::optional<Mark>> Parse(const std::optional<std::string>& value) {
  if (!value.has_value()) return std::optional<Mark>();
  v1::ShownRow row;
  if (!row.ParseFromString(*value)) {
    return Error{ErrorCode::kCorrupt,
                 "reading the node's metadata: the row 'shown' does not parse"};
  }
  Mark mark;
  mark.head.set_epoch(row.epoch());
  mark.head.set_sequence(row.sequence());
  mark.replica_epoch = row.replica_epoch();
  return std::optional(std::move(mark));
}

// Whether rows that have passed `by` have passed `mark`, too.
bool Covers(const std::optional<Mark>& by, const Mark& mark) {
  return by.has_value() && by->head.epoch() == mark.head.epoch() &&
         by->head.sequence() >= mark.head.sequence() &&
         (by->replica_epoch == mark.replica_epoch || mark.replica_epoch == mark.head.epoch());
}

}  // namespace

Result<std::optional<Mark>> ShownMark::Load() {
  TRY(const auto value, meta_.Get(kShown));
  return Parse(value);
}

bool ShownMark::IsCovered(const Mark& mark) const {
  MutexLock lock(mutex_);
  return Covers(synced_, mark);
}

Result<void> ShownMark::Raise(const Mark& mark) {
  if (IsCovered(mark)) return {};
  const auto transaction = meta_.Begin();
  // Locked until the commit: of several that raise it, none puts an older one over a newer.
  TRY(const auto value, transaction->GetForUpdate(kShown));
  TRY(const std::optional<Mark> before, Parse(value));
  if (Covers(before, mark)) return {};
  v1::ShownRow row;
  row.set_epoch(mark.head.epoch());
  row.set_sequence(mark.head.sequence());
  row.set_replica_epoch(mark.replica_epoch);
  TRY_VOID(transaction->Put(kShown, row.SerializeAsString()));
  TRY_VOID(transaction->Commit());
  MutexLock lock(mutex_);
  if (!Covers(synced_, mark)) synced_ = mark;
  return {};
}

}  // namespace outport::node
