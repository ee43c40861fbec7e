#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/security/grants/grant.h"

namespace outport {

// The permissions of a node: the repositories that it may pull from the store, and those to which
// it may relay pushes and deletes. They limit the rights of every caller at the node. A value type.
// The default allows everything.
class NodePermissions {
 public:
  NodePermissions() = default;
  // `name` names the node in error texts: "node 'eu-west'" or "this node". If `grants` is empty,
  // the node may do everything.
  NodePermissions(std::string name, std::vector<Grant> grants);

  // At a node, sets the patterns whose rows the replica already has. The default is all patterns.
  void SetReplicated(std::vector<std::string> patterns) { replicated_ = std::move(patterns); }

  bool Allows(Action action, const RepositoryName& repository) const;
  // kDenied if the permissions do not allow the action; the error lists the permissions.
  // kUnavailable if they allow it, but the replica does not have the repository's rows yet.
  Result<void> Require(Action action, const RepositoryName& repository) const;
  // Whether the node may pull some repository that `pattern` could match.
  bool MayPullSomeOf(std::string_view pattern) const;

  const std::vector<Grant>& grants() const { return grants_; }
  // The patterns that the node may pull, sorted and without duplicates.
  std::vector<std::string> Scope() const;

 private:
  bool Grants(Action action, const RepositoryName& repository) const;
  bool IsReplicated(const RepositoryName& repository) const;

  std::string name_ = "this registry";
  std::vector<Grant> grants_ = {Grant{{Action::kPull, Action::kPush}, std::string(kEverything)}};
  std::vector<std::string> replicated_ = {std::string(kEverything)};
};

inline constexpr size_t kMaxNodeGrants = 100;
// kInvalidArgument unless the grant is "pull:PATTERN" or "pull,push:PATTERN" and some repository
// name can match the pattern. CheckNodeGrants() also rejects more than kMaxNodeGrants grants.
Result<void> CheckNodeGrant(const Grant& grant);
Result<void> CheckNodeGrants(const std::vector<Grant>& grants);

}  // namespace outport
