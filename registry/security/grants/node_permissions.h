#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/security/grants/grant.h"

namespace outport {

// What a node of the fleet may do, whoever asks it: pull from the store, and push there, which is
// to delete, too. A value; the default may do everything.
class NodePermissions {
 public:
  NodePermissions() = default;
  // `who` names the node in refusals: "node 'eu-west'", "this node". No grants: everything.
  NodePermissions(std::string who, std::vector<Grant> grants);

  // At a node that has the rows of these patterns alone, and waits for others.
  void Hold(std::vector<std::string> patterns) { held_ = std::move(patterns); }

  bool Allows(Action action, const RepositoryName& repository) const;
  // kDenied, with what is allowed instead; kUnavailable for what is allowed, but not held yet.
  Result<void> Require(Action action, const RepositoryName& repository) const;
  // Whether a repository that the pattern matches might be pulled.
  bool MayReach(std::string_view pattern) const;

  const std::vector<Grant>& grants() const { return grants_; }
  // The patterns of what may be pulled: in byte order, without another of them twice.
  std::vector<std::string> Scope() const;

 private:
  bool Grants(Action action, const RepositoryName& repository) const;
  bool Holds(const RepositoryName& repository) const;

  std::string who_ = "this registry";
  std::vector<Grant> grants_ = {Grant{{Action::kPull, Action::kPush}, std::string(kEverything)}};
  std::vector<std::string> held_ = {std::string(kEverything)};
};

inline constexpr size_t kMaxNodeGrants = 100;
// kInvalidArgument unless a node may have it: "pull:..." or "pull,push:...", and a pattern that the
// name of some repository matches; and of many, unless they are at most kMaxNodeGrants.
Result<void> CheckNodeGrant(const Grant& grant);
Result<void> CheckNodeGrants(const std::vector<Grant>& grants);

}  // namespace outport
