#include "store/fleet/member_directory.h"

#include <utility>

#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/row_scan.h"
#include "registry/records/rows.h"

namespace outport::store {
Error NoMember(const std::string& node) {
  return Error{ErrorCode::kDenied,
               "node '" + node +
                   "' does not belong to this fleet: invite it with 'outportctl node "
                   "invite' and join again with 'outport-node join --replace'"};
}

NodePermissions PermissionsOf(const v1::NodeRow& row) {
  return NodePermissions("node '" + row.name() + "'", ToGrants(row.allow()));
}

Result<void> MemberDirectory::Load() {
  auto set = [this](const v1::NodeRow& row) -> Result<void> {
    Set(row.name(), std::make_shared<const NodePermissions>(PermissionsOf(row)));
    return {};
  };
  return ForEachRow<v1::NodeRow>(meta_, keys::kNodes, set);
}

Result<std::optional<v1::NodeRow>> MemberDirectory::Read(const std::string& node) const {
  const std::string key = keys::Node(node);
  TRY(std::optional<std::string> value, meta_.Get(key));
  if (pending_ != nullptr) value = pending_->Apply(key, std::move(value));
  if (!value.has_value()) return std::nullopt;
  TRY(v1::NodeRow row, ParseRow<v1::NodeRow>(key, *value));
  return row;
}

Result<void> MemberDirectory::Follow(const std::string& node) {
  MutexLock lock(following_);
  const auto row = Read(node);
  std::shared_ptr<const NodePermissions> permissions;
  if (row.has_value() && row->has_value()) {
    permissions = std::make_shared<const NodePermissions>(PermissionsOf(**row));
  }
  Set(node, std::move(permissions));
  connected_.Cut(node);
  if (!row.has_value()) return row.error();
  return {};
}

void MemberDirectory::Set(const std::string& node,
                          std::shared_ptr<const NodePermissions> permissions) {
  MutexLock lock(mutex_);
  if (permissions == nullptr) {
    members_.erase(node);
  } else {
    members_[node] = std::move(permissions);
  }
}

Result<std::shared_ptr<const NodePermissions>> MemberDirectory::Require(
    const std::string& node) const {
  MutexLock lock(mutex_);
  const auto found = members_.find(node);
  if (found == members_.end()) return NoMember(node);
  return found->second;
}

}  // namespace outport::store
