#include "store/access/access_follower.h"

#include <utility>

#include "registry/records/access_records.h"

namespace outport::store {

Result<void> AccessFollower::Load() {
  MutexLock lock(following_);
  TRY(AccessDirectory::Contents contents, rpc::ReadAccess(meta_));
  directory_.ReplaceAll(std::move(contents));
  return {};
}

Result<void> AccessFollower::Follow(const std::string& key) {
  MutexLock lock(following_);
  const auto row = meta_.Get(key);
  auto change = row.has_value() ? rpc::ToChange(key, *row) : Result<v1::Change>(row.error());
  if (!change.has_value()) change = rpc::ToChange(key, std::nullopt);
  rpc::Apply(*change, directory_);
  if (!row.has_value()) return row.error();
  return {};
}

}  // namespace outport::store
