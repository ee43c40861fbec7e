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

// What a node is told of: the rows of the repositories that it may pull, the users, groups and
// others with grants that may reach one of these, of their grants only those, and every revocation.
// Whether a user is told of depends on its groups, too: they are looked up in the rows as they are
// now, which may be younger than a change that is sent; the last word on a user is therefore right,
// if each change of a group goes with one of every member (LogReader). A value.
class NodeScope {
 public:
  explicit NodeScope(const NodePermissions& node);

  // Nothing is left out.
  bool everything() const { return everything_; }
  const std::vector<std::string>& patterns() const { return patterns_; }

  // What the node is told of a change, or of a row: nothing, less, or that what it may have had is
  // gone. Blocks.
  Result<std::optional<v1::Change>> Cut(v1::Change change, const MetaView& meta) const;
  // Whether the node is told of the user. Blocks.
  Result<bool> Knows(const v1::UserRow& user, const MetaView& meta) const;

 private:
  bool Covers(std::string_view repository) const;
  using Grants = google::protobuf::RepeatedPtrField<v1::Grant>;
  bool Reaches(const Grants& grants) const;
  void Strip(Grants& grants) const;

  const NodePermissions node_;
  const std::vector<std::string> patterns_;
  const bool everything_;
};

}  // namespace outport::store
