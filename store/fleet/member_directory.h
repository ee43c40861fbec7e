#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/security/grants/node_permissions.h"
#include "registry/storage/meta_store.h"
#include "store/access/pending_access.h"
#include "store/fleet/connected_nodes.h"

namespace outport::store {

// Knows the nodes of the fleet and their permissions. It mirrors the rows node/<name> in memory,
// because the store checks every call of a node against them. Safe for all threads.
class MemberDirectory {
 public:
  // The referenced objects outlive the directory. `pending` may be null.
  MemberDirectory(const MetaStore& meta, ConnectedNodes& connected,
                  const PendingAccess* pending = nullptr)
      : meta_(meta), connected_(connected), pending_(pending) {}

  // Fills the directory from the rows. Call it once, at start. Blocks.
  Result<void> Load();
  // Call it after a commit that changed the node's row, and after a change of the pending ones.
  // Reads the row again, and applies the pending changes to it. Cuts the node's stream, because the
  // stream has the previous permissions. A node whose row cannot be read counts as removed. Blocks.
  Result<void> Follow(const std::string& node);

  // Returns the node's permissions. Returns kDenied, and says what to do, unless the node belongs
  // to the fleet. Does not block.
  Result<std::shared_ptr<const NodePermissions>> Require(const std::string& node) const;

 private:
  Result<std::optional<v1::NodeRow>> Read(const std::string& node) const;
  void Set(const std::string& node, std::shared_ptr<const NodePermissions> permissions);

  const MetaStore& meta_;
  ConnectedNodes& connected_;
  const PendingAccess* const pending_;
  Mutex following_;  // held while a row is read and stored: the newest row wins
  mutable Mutex mutex_;
  // Calls in progress keep a pointer to the permissions of their node.
  std::map<std::string, std::shared_ptr<const NodePermissions>> members_ OUTPORT_GUARDED_BY(mutex_);
};

// Returns the error for a node that does not belong to the fleet: kDenied, and what to do.
Error NoMember(const std::string& node);

NodePermissions PermissionsOf(const v1::NodeRow& row);

}  // namespace outport::store
