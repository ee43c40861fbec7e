#include "store/work/owner_watch.h"

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"

namespace outport::store {

Result<bool> OwnerWatch::HasEnded(const std::string& id) {
  if (id.empty() || id == owner_.id()) return false;
  TRY(const auto row, ReadRow<v1::OwnerRow>(meta_, keys::Owner(id)));
  TRY(const bool dead, owner_.IsDead(id));
  if (!dead) {
    expired_.erase(id);
    return false;
  }
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  const Expired seen{
      .until_ms = row.has_value() ? row->until_ms() : 0, .since = now, .looked = now};
  auto known = expired_.find(id);
  if (known == expired_.end()) {
    if (!MakeRoom(now)) return false;
    known = expired_.emplace(id, seen).first;
  }
  if (known->second.until_ms != seen.until_ms) known->second = seen;
  known->second.looked = now;
  return now - known->second.since >= kMargin;
}

bool OwnerWatch::MakeRoom(std::chrono::nanoseconds now) {
  if (expired_.size() < kOwners) return true;
  std::erase_if(expired_,
                [now](const auto& entry) { return now - entry.second.looked >= kForget; });
  return expired_.size() < kOwners;
}

}  // namespace outport::store
