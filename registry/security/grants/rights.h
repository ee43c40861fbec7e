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
// certificate, anonymous), limited by the permissions of the node that serves it. A value, cheap to
// copy. A later change of grants does not change it.
class Rights {
 public:
  struct Source {
    Subject subject;
    std::shared_ptr<const std::vector<Grant>> grants;  // shared with the directory; not null
  };
  // `caller` is the caller's name in error texts: "user 'anna'".
  Rights(std::string caller, bool anonymous, std::vector<Source> sources)
      : caller_(std::move(caller)), anonymous_(anonymous), sources_(std::move(sources)) {}
  Rights() : Rights("nobody", true, {}) {}

  // These rights through a node with these permissions; null: at the store.
  Rights LimitedTo(std::shared_ptr<const NodePermissions> node) const;
  const NodePermissions* node() const { return node_.get(); }

  // The grant that allows an action, and the subject that has it.
  struct Rule {
    const Subject& subject;
    const Grant& grant;
  };
  // The first grant that allows it; nullopt: no grant does, or the node may not. The Rule refers to
  // this value.
  std::optional<Rule> Find(Action action, const RepositoryName& repository) const;
  bool Allows(Action action, const RepositoryName& repository) const {
    return Find(action, repository).has_value();
  }
  // The caller sent neither a password nor a certificate with grants.
  bool anonymous() const { return anonymous_; }
  const std::string& caller() const { return caller_; }
  const std::vector<Source>& sources() const { return sources_; }

 private:
  std::string caller_;
  bool anonymous_;
  std::vector<Source> sources_;
  std::shared_ptr<const NodePermissions> node_;  // shared with the directory; null: no limit
};

// Succeeds if the node may perform the action and a grant allows it. Otherwise kDenied, with
// caller, action and repository; kUnauthorized for an anonymous caller.
Result<void> RequireGrant(const Rights& rights, Action action, const RepositoryName& repository);

}  // namespace outport
