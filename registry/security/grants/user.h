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
  std::vector<Grant> grants = {};  // its own; Rights has all that count
  std::vector<std::string> groups = {};
  bool disabled = false;
  std::optional<std::chrono::system_clock::time_point> expires = std::nullopt;
  std::vector<std::string> only_from = {};  // globs of certificates' names; empty: any
  // Those that begin with kForeign stand for what other authorities name, the others for the fleet.
};

// The user name of a client that asks to be anonymous, with any password. Docker's engine pulls
// nothing without a login from a registry that accepts passwords. No user has this name.
inline constexpr std::string_view kAnonymousUser = "anonymous";

// Whether who knows the user's password may come in by it, with a certificate of that name (empty:
// none). kUnauthorized if the user is disabled or expired, kDenied if it has to come with another
// certificate. For users whose password was right: the message tells.
Result<void> CheckMayEnter(const User& user, std::string_view certificate,
                           std::chrono::system_clock::time_point now);

}  // namespace outport
