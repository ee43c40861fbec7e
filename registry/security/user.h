#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/security/identity.h"

namespace outport {

// What a subject may do in the repositories that match a pattern: "**" any, "team/*" one level,
// "team/**" any depth, "team/app" exactly.
struct Grant {
  std::set<Action> actions;
  std::string pattern;
};

// "pull,push" (all repositories) or "pull,push:team/**". kInvalidArgument names what is wrong.
Result<Grant> ParseGrant(std::string_view text);
std::string ToString(const Grant& grant);
// kInvalidArgument unless the grant can mean something for a user: no admin, which certificates are
// for, and a pattern that the name of some repository matches. For grants that are given; one that
// was given is read without it.
Result<void> CheckUserGrant(const Grant& grant);
bool MatchesPattern(std::string_view pattern, std::string_view repository);

struct User {
  std::string name;
  std::string password_hash;  // bcrypt
  std::vector<Grant> grants;

  bool Allows(Action action, const RepositoryName& repository) const;
};

// kDenied, naming user, action and repository, unless a grant of the user allows it.
Result<void> RequireGrant(const User& user, Action action, const RepositoryName& repository);

// The users that may come in, in memory. Safe for all threads; does not block.
class UserDirectory {
 public:
  std::shared_ptr<const User> Find(std::string_view name) const;  // nullptr if there is none
  void Set(User user);
  void Remove(std::string_view name);
  void ReplaceAll(std::vector<User> users);

 private:
  mutable Mutex mutex_;
  // Shared with the requests that are under way with an older version.
  std::unordered_map<std::string, std::shared_ptr<const User>> users_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
