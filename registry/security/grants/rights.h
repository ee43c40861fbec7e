#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/security/grants/node_permissions.h"

namespace outport {

// All that one caller may do: the grants of each subject that it is (a user, its groups, the name
// in its certificate, anybody), within what the node that serves it may. A value, cheap to copy; it
// stays as it was made when grants change.
class Rights {
 public:
  struct Source {
    Subject subject;
    std::shared_ptr<const std::vector<Grant>> grants;  // shared with the directory; not null
  };
  // `who` names the caller in refusals: "user 'anna'".
  Rights(std::string who, bool anonymous, std::vector<Source> sources)
      : who_(std::move(who)), anonymous_(anonymous), sources_(std::move(sources)) {}
  Rights() : Rights("nobody", true, {}) {}

  // The same, asked through a node; null: the store itself.
  Rights Within(std::shared_ptr<const NodePermissions> node) const;
  const NodePermissions* node() const { return node_.get(); }

  // The grant that decides, and whose it is.
  struct Rule {
    const Subject& subject;
    const Grant& grant;
  };
  // The first that allows it; nullopt: nothing does, or the node may not. Points into this value.
  std::optional<Rule> Find(Action action, const RepositoryName& repository) const;
  bool Allows(Action action, const RepositoryName& repository) const {
    return Find(action, repository).has_value();
  }
  // Nobody's password was shown.
  bool anonymous() const { return anonymous_; }
  const std::string& who() const { return who_; }
  const std::vector<Source>& sources() const { return sources_; }

 private:
  std::string who_;
  bool anonymous_;
  std::vector<Source> sources_;
  std::shared_ptr<const NodePermissions> node_;  // shared with the directory; null: no limit
};

// Unless the node may and a grant allows it: kDenied, naming caller, action and repository;
// kUnauthorized for who has not said who it is.
Result<void> RequireGrant(const Rights& rights, Action action, const RepositoryName& repository);

}  // namespace outport
