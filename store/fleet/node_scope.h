#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/security/grants/node_permissions.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Decides which rows a node receives:
// - the rows of the repositories that it may pull from;
// - users, groups and other subjects that have a grant in one of these repositories, without their
//   other grants;
// - every revocation.
// The grants of a user's groups decide, too, whether the node receives the user. Filter() reads
// these grants from the rows as they are now. They may be newer than the change that Filter()
// looks at. The node still gets the right rows in the end: at each change of a group, LogReader
// sends all members of the group again. A value type.
class NodeScope {
 public:
  explicit NodeScope(const NodePermissions& node);

  // True if the node receives every row.
  bool everything() const { return everything_; }
  const std::vector<std::string>& patterns() const { return patterns_; }

  // Returns the part of a change, or of a row, that the node receives; nullopt if it receives no
  // part. For a user outside of the scope, returns a deletion, because the node may have received
  // the user before. Blocks.
  Result<std::optional<v1::Change>> Filter(v1::Change change, const MetaView& meta) const;
  // Returns whether the node receives the user. Blocks.
  Result<bool> ReceivesUser(const v1::UserRow& user, const MetaView& meta) const;

 private:
  bool Covers(std::string_view repository) const;
  using Grants = google::protobuf::RepeatedPtrField<v1::Grant>;
  bool MayUseSomeOf(const Grants& grants) const;
  void RemoveGrantsOutside(Grants& grants) const;

  const NodePermissions node_;
  const std::vector<std::string> patterns_;
  const bool everything_;
};

}  // namespace outport::store
