#include "registry/security/grants/node_permissions.h"

#include <algorithm>
#include <set>
#include <utility>

namespace outport {
namespace {

// What a client asks for as an action of nodes.
Action OfNodes(Action action) { return action == Action::kDelete ? Action::kPush : action; }

}  // namespace

NodePermissions::NodePermissions(std::string who, std::vector<Grant> grants)
    : who_(std::move(who)) {
  if (!grants.empty()) grants_ = std::move(grants);
}

bool NodePermissions::Allows(Action action, const RepositoryName& repository) const {
  return Grants(action, repository) && (action != Action::kPull || Holds(repository));
}

bool NodePermissions::Holds(const RepositoryName& repository) const {
  return std::ranges::any_of(held_, [&](const std::string& pattern) {
    return MatchesPattern(pattern, repository.ToString());
  });
}

bool NodePermissions::Grants(Action action, const RepositoryName& repository) const {
  return std::ranges::any_of(grants_, [&](const Grant& grant) {
    return grant.actions.contains(OfNodes(action)) &&
           MatchesPattern(grant.pattern, repository.ToString());
  });
}

Result<void> NodePermissions::Require(Action action, const RepositoryName& repository) const {
  if (Allows(action, repository)) return {};
  if (Grants(action, repository)) {
    return Error{ErrorCode::kUnavailable, who_ + " was allowed to serve '" + repository.ToString() +
                                              "' just now, and is still told of it by the store; "
                                              "try again shortly"};
  }
  return Error{ErrorCode::kDenied, who_ + " may not " + std::string(ToString(OfNodes(action))) +
                                       " in '" + repository.ToString() +
                                       "', whoever asks: it has " + ToString(grants_) +
                                       "; use the store or another node, or let an administrator "
                                       "change that ('outportctl node set NODE --allow ...')"};
}

bool NodePermissions::MayReach(std::string_view pattern) const {
  return std::ranges::any_of(grants_, [&](const Grant& grant) {
    return grant.actions.contains(Action::kPull) && PatternsMeet(grant.pattern, pattern);
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
  const bool foreign =
      grant.actions.contains(Action::kDelete) || grant.actions.contains(Action::kAdmin);
  if (foreign || !grant.actions.contains(Action::kPull)) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + ToString(grant) +
                     "' is nothing that a node may have: write pull:PATTERN or pull,push:PATTERN "
                     "(what may be pushed may be deleted, where the user may)"};
  }
  return CheckGrant(grant, SubjectKind::kUser);
}

Result<void> CheckNodeGrants(const std::vector<Grant>& grants) {
  if (grants.size() > kMaxNodeGrants) {
    return Error{ErrorCode::kInvalidArgument,
                 "a node has at most 100 permissions: use wider patterns"};
  }
  for (const Grant& grant : grants) TRY_VOID(CheckNodeGrant(grant));
  return {};
}

}  // namespace outport
