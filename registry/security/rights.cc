#include "registry/security/rights.h"

namespace outport {

std::optional<Rights::Rule> Rights::Find(Action action, const RepositoryName& repository) const {
  for (const Source& source : sources_) {
    for (const Grant& grant : *source.grants) {
      if (!grant.actions.contains(action)) continue;
      if (MatchesPattern(grant.pattern, repository.ToString())) return Rule{source.subject, grant};
    }
  }
  return std::nullopt;
}

Result<void> RequireGrant(const Rights& rights, Action action, const RepositoryName& repository) {
  if (rights.Allows(action, repository)) return {};
  if (rights.anonymous()) {
    return Error{ErrorCode::kUnauthorized,
                 "no user name and password were sent: log in first (docker login)"};
  }
  return Error{ErrorCode::kDenied, rights.who() + " has no grant to " +
                                       std::string(ToString(action)) + " in '" +
                                       repository.ToString() + "'; an administrator can give one"};
}

}  // namespace outport
