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
  std::vector<Grant> grants = {};  // of the user alone, without those of its groups
  std::vector<std::string> groups = {};
  bool disabled = false;
  std::optional<std::chrono::system_clock::time_point> expires = std::nullopt;
  // Globs of the names of client certificates that the user may log in with; empty: any. A glob
  // that begins with kForeignPrefix matches certificates of other authorities, any other glob those
  // of the fleet.
  std::vector<std::string> only_from = {};
};

// The user name of a client that asks to be anonymous, with any password. Docker's engine pulls
// nothing without a login from a registry that accepts passwords. No user has this name.
inline constexpr std::string_view kAnonymousUser = "anonymous";

// Whether the user may log in with a client certificate of that name (empty: no certificate).
// kUnauthorized if the user is disabled or expired, kDenied if it must use another certificate. The
// message reveals details of the user: call this only after the password was verified.
Result<void> CheckMayLogIn(const User& user, std::string_view certificate,
                           std::chrono::system_clock::time_point now);

}  // namespace outport
