#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/security/grants/grant.h"

namespace outport {

// The permissions of a node: repositories that it may pull from the store, and push to. Push
// includes delete. They bound the rights of every caller of the node. A value; the default allows
// everything.
class NodePermissions {
 public:
  NodePermissions() = default;
  // `name` is the node's name in error texts: "node 'eu-west'", "this node". No grants: the node
  // may do everything.
  NodePermissions(std::string name, std::vector<Grant> grants);

  // At a node: sets the patterns whose rows the replica has so far. The default is all.
  void SetReplicated(std::vector<std::string> patterns) { replicated_ = std::move(patterns); }

  bool Allows(Action action, const RepositoryName& repository) const;
  // kDenied names what the node may do. kUnavailable: allowed, but the rows have not arrived yet.
  Result<void> Require(Action action, const RepositoryName& repository) const;
  // Whether the node may pull some repository that `pattern` could match.
  bool MayPullSomeOf(std::string_view pattern) const;

  const std::vector<Grant>& grants() const { return grants_; }
  // The patterns that the node may pull: sorted, without duplicates.
  std::vector<std::string> Scope() const;

 private:
  bool Grants(Action action, const RepositoryName& repository) const;
  bool IsReplicated(const RepositoryName& repository) const;

  std::string name_ = "this registry";
  std::vector<Grant> grants_ = {Grant{{Action::kPull, Action::kPush}, std::string(kEverything)}};
  std::vector<std::string> replicated_ = {std::string(kEverything)};
};

inline constexpr size_t kMaxNodeGrants = 100;
// kInvalidArgument unless it is "pull:..." or "pull,push:...", with a pattern that some repository
// name can match. CheckNodeGrants() also rejects more than kMaxNodeGrants.
Result<void> CheckNodeGrant(const Grant& grant);
Result<void> CheckNodeGrants(const std::vector<Grant>& grants);

}  // namespace outport
