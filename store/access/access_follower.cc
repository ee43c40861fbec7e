#include "store/access/access_follower.h"

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
  const auto row = meta_.Get(key);
  auto change = row.has_value() ? ToAccessChange(key, *row) : Result<v1::Change>(row.error());
  if (!change.has_value()) change = ToAccessChange(key, std::nullopt);
  ApplyAccessChange(*change, directory_);
  if (on_revoked_ && change->has_revoked()) on_revoked_(change->revoked());
  if (!row.has_value()) return row.error();
  return {};
}

}  // namespace outport::store
