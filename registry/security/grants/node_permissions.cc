#include "registry/security/grants/node_permissions.h"

#include <algorithm>
#include <set>
#include <utility>

namespace outport {
namespace {

// Returns the action that the node's permissions must allow for a client's action.
Action NodeActionFor(Action action) { return action == Action::kDelete ? Action::kPush : action; }

}  // namespace

NodePermissions::NodePermissions(std::string name, std::vector<Grant> grants)
    : name_(std::move(name)) {
  if (!grants.empty()) grants_ = std::move(grants);
}

bool NodePermissions::Allows(Action action, const RepositoryName& repository) const {
  return Grants(action, repository) && (action != Action::kPull || IsReplicated(repository));
}

bool NodePermissions::IsReplicated(const RepositoryName& repository) const {
  return std::ranges::any_of(replicated_, [&](const std::string& pattern) {
    return MatchesPattern(pattern, repository.ToString());
  });
}

bool NodePermissions::Grants(Action action, const RepositoryName& repository) const {
  return std::ranges::any_of(grants_, [&](const Grant& grant) {
    return grant.actions.contains(NodeActionFor(action)) &&
           MatchesPattern(grant.pattern, repository.ToString());
  });
}

Result<void> NodePermissions::Require(Action action, const RepositoryName& repository) const {
  if (Allows(action, repository)) return {};
  if (Grants(action, repository)) {
    return Error{ErrorCode::kUnavailable, name_ + " has not received the rows of '" +
                                              repository.ToString() +
                                              "' yet, because its permissions have just changed; "
                                              "retry shortly"};
  }
  return Error{ErrorCode::kDenied,
               name_ + " may not " + std::string(ToString(NodeActionFor(action))) + " in '" +
                   repository.ToString() + "': its permissions are " + ToString(grants_) +
                   "; use the store or another node, or let an administrator "
                   "change them ('outportctl node set NODE --allow ...')"};
}

bool NodePermissions::MayPullSomeOf(std::string_view pattern) const {
  return std::ranges::any_of(grants_, [&](const Grant& grant) {
    return grant.actions.contains(Action::kPull) && PatternsOverlap(grant.pattern, pattern);
  });
}

std::vector<std::string> NodePermissions::Scope() const {
  std::set<std::string> patterns;
  for (const Grant& grant : grants_) {
    if (grant.actions.contains(Action::kPull)) patterns.insert(grant.pattern);
  }
  if (patterns.contains(std::string(kEverything))) return {std::string(kEverything)};
  return {patterns.begin(), patterns.end()};
}

Result<void> CheckNodeGrant(const Grant& grant) {
  const bool unsupported =
      grant.actions.contains(Action::kDelete) || grant.actions.contains(Action::kAdmin);
  if (unsupported || !grant.actions.contains(Action::kPull)) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + ToString(grant) +
                     "' is not a valid node permission; write pull:PATTERN or pull,push:PATTERN "
                     "(push includes delete, if the user may delete)"};
  }
  return CheckGrant(grant, SubjectKind::kUser);
}

Result<void> CheckNodeGrants(const std::vector<Grant>& grants) {
  if (grants.size() > kMaxNodeGrants) {
    return Error{ErrorCode::kInvalidArgument,
                 "a node can have at most 100 permissions; use fewer and wider patterns"};
  }
  for (const Grant& grant : grants) TRY_VOID(CheckNodeGrant(grant));
  return {};
}

}  // namespace outport
