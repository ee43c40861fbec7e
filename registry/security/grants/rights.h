#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/security/grants/node_permissions.h"

namespace outport {

// The rights of one caller: the grants of all its subjects (the user, its groups, the name in its
// certificate, anonymous), limited by the permissions of the node that serves the caller. A value
// type, cheap to copy. A later change of grants does not change an existing Rights object.
class Rights {
 public:
  struct Source {
    Subject subject;
    std::shared_ptr<const std::vector<Grant>> grants;  // shared with the directory; not null
  };
  // `caller` names the caller in error texts: "user 'anna'".
  Rights(std::string caller, bool anonymous, std::vector<Source> sources)
      : caller_(std::move(caller)), anonymous_(anonymous), sources_(std::move(sources)) {}
  Rights() : Rights("nobody", true, {}) {}

  // Returns these rights, limited by the permissions of a node. A null `node` means the store,
  // which sets no limit.
  Rights LimitedTo(std::shared_ptr<const NodePermissions> node) const;
  const NodePermissions* node() const { return node_.get(); }

  // The grant that allows an action, and the holder of the grant.
  struct Rule {
    const Subject& subject;
    const Grant& grant;
  };
  // Returns the first grant that allows the action. Returns nullopt if no grant allows the action,
  // or if the node may not perform it. The Rule is valid as long as this Rights object.
  std::optional<Rule> Find(Action action, const RepositoryName& repository) const;
  bool Allows(Action action, const RepositoryName& repository) const {
    return Find(action, repository).has_value();
  }
  // Whether the caller sent neither a password nor a certificate that has grants.
  bool anonymous() const { return anonymous_; }
  const std::string& caller() const { return caller_; }
  const std::vector<Source>& sources() const { return sources_; }

 private:
  std::string caller_;
  bool anonymous_;
  std::vector<Source> sources_;
  std::shared_ptr<const NodePermissions> node_;  // shared with the directory; null: no limit
};

// Succeeds if the node may perform the action and a grant allows it. Otherwise kUnauthorized for an
// anonymous caller. For any other caller kDenied, which names caller, action and repository.
Result<void> RequireGrant(const Rights& rights, Action action, const RepositoryName& repository);

}  // namespace outport
