#include "store/gc/plan_check.h"

#include <string>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

Result<Fate> FateOf(const MetaView& view, const CollectionTimes& times, int64_t as_of_ms,
                    const PlannedItem& item) {
  if (item.is_link()) {
    v1::LinkRow row;
    const QueuedLink queued{.due_ms = item.shown.due_ms(), .content = item.content};
    return FateOfLink(view, Collection(times, as_of_ms), queued, row);
  }
  const auto& [repository, digest] = item.content;
  TRY(const auto stored, ReadRow<v1::UntaggedRow>(view, keys::Untagged(repository, digest)));
  // The manifest may be the referrer of a removed manifest, and may still have no row.
  v1::UntaggedRow candidate = stored.value_or(v1::UntaggedRow());
  if (!stored.has_value()) candidate.set_since_ms(item.shown.since_ms());
  v1::ManifestRow row;
  return FateOfManifest(view, as_of_ms, times, item.content, candidate, row);
}

}  // namespace

Result<RemainingPlan> CheckPlan(const MetaView& view, const CollectionTimes& times,
                                int64_t as_of_ms, std::vector<PlannedItem> items) {
  RemainingPlan remaining;
  std::string first;  // that stays
  uint64_t staying = 0;
  for (PlannedItem& item : items) {
    const Result<Fate> looked = FateOf(view, times, as_of_ms, item);
    if (!IsCorrupt(looked)) TRY_VOID(looked);
    const Fate fate = looked.value_or(Fate::kGoes);
    if (fate == Fate::kGone) ++remaining.gone;
    if (fate == Fate::kStays && staying++ == 0) first = TextOf(item.shown);
    if (fate == Fate::kGoes) remaining.items.push_back(std::move(item));
  }
  if (staying == 0) return remaining;
  std::string message = "the plan no longer holds: " + first + " is in use again";
  if (staying > 1) message += ", and " + std::to_string(staying - 1) + " other items";
  return Error{ErrorCode::kFailedPrecondition, message + "; 'outportctl gc plan' makes a new one"};
}

}  // namespace outport::store
