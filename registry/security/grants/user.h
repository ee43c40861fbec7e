#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/grants/grant.h"

namespace outport {

struct User {
  std::string name;
  std::string password_hash;       // bcrypt
  std::vector<Grant> grants = {};  // of the user itself; the groups have their own grants
  std::vector<std::string> groups = {};
  bool disabled = false;
  std::optional<std::chrono::system_clock::time_point> expires = std::nullopt;
  // Globs of the names of the client certificates with which the user may log in. Empty: any
  // certificate, or none. A glob that begins with kForeignPrefix matches certificates of other
  // authorities. Every other glob matches certificates of the fleet.
  std::vector<std::string> only_from = {};
};

// A client that logs in with this user name and any password is anonymous. Docker's engine needs
// such a login, because it pulls nothing without one from a registry that accepts passwords. No
// user can have this name.
inline constexpr std::string_view kAnonymousUser = "anonymous";

// Checks whether the user may log in with the client certificate named `certificate` (empty:
// without a certificate). kUnauthorized if the user is disabled or expired, kDenied if the user
// must use another certificate. Call this only after the password was verified, because the error
// reveals details of the user.
Result<void> CheckMayLogIn(const User& user, std::string_view certificate,
                           std::chrono::system_clock::time_point now);

}  // namespace outport
