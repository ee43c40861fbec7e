#include "registry/security/grants/rights.h"

namespace outport {

Rights Rights::LimitedTo(std::shared_ptr<const NodePermissions> node) const {
  Rights limited = *this;
  limited.node_ = std::move(node);
  return limited;
}

std::optional<Rights::Rule> Rights::Find(Action action, const RepositoryName& repository) const {
  if (node_ != nullptr && !node_->Allows(action, repository)) return std::nullopt;
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
  if (rights.node() != nullptr) TRY_VOID(rights.node()->Require(action, repository));
  if (rights.anonymous()) {
    return Error{ErrorCode::kUnauthorized,
                 "no user name and password were sent; log in first (docker login)"};
  }
  return Error{ErrorCode::kDenied, rights.caller() + " has no grant to " +
                                       std::string(ToString(action)) + " in '" +
                                       repository.ToString() + "'; an administrator can give one"};
}

}  // namespace outport
