#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// bcrypt, by libxcrypt. Each call works for its cost (46 ms at 10): only on a pool.
inline constexpr int kDefaultBcryptCost = 10;
inline constexpr size_t kMaxPasswordBytes = 72;  // bcrypt ignores what follows; so it is refused

// "$2b$10$…". kInvalidArgument for an empty or too long password.
Result<std::string> HashPassword(std::string_view password, int cost = kDefaultBcryptCost);

// In constant time for equal costs. A hash that is no bcrypt ($apr1$, crypt, {SHA}) never matches.
bool VerifyPassword(std::string_view password, const std::string& hash);

// Does the work that a hash of the default cost would have asked for beyond that of `hash`, if that
// is cheaper (htpasswd -B makes hashes of cost 5): who is refused cannot tell by the time whether
// there is such a user. Nothing for costlier ones.
void SpendRest(std::string_view password, const std::string& hash);

// kInvalidArgument, naming the format, for hashes that are not bcrypt ($2a$, $2b$, $2y$).
Result<void> CheckPasswordHash(std::string_view hash);

}  // namespace outport
