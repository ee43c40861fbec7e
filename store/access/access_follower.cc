#include "store/access/access_follower.h"

#include <algorithm>
#include <utility>

#include "registry/records/access_records.h"

namespace outport::store {

Result<void> AccessFollower::Load() {
  MutexLock lock(following_);
  TRY(AccessDirectory::Contents contents, ReadAccess(meta_));
  directory_.ReplaceAll(std::move(contents));
  return {};
}

Result<void> AccessFollower::Follow(const std::string& key) {
  MutexLock lock(following_);
  auto row = meta_.Get(key);
  if (row.has_value()) row = pending_.Apply(key, *std::move(row));
  auto change = row.has_value() ? ToAccessChange(key, *row) : Result<v1::Change>(row.error());
  if (!change.has_value()) change = ToAccessChange(key, std::nullopt);
  ApplyAccessChange(*change, directory_);
  if (on_revoked_ && change->has_revoked()) on_revoked_(change->revoked());
  if (!row.has_value()) return row.error();
  return {};
}

Result<std::vector<v1::Change>> AccessFollower::ChangesOf(const std::set<std::string>& keys) const {
  std::vector<v1::Change> changes;
  for (const std::string& key : keys) {
    const auto is_prefix = [&key](std::string_view prefix) { return key.starts_with(prefix); };
    if (std::ranges::none_of(kAccessRows, is_prefix)) continue;
    TRY(std::optional<std::string> row, meta_.Get(key));
    TRY(v1::Change change, ToAccessChange(key, pending_.Apply(key, std::move(row))));
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace outport::store
