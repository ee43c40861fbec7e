#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// bcrypt, by libxcrypt. A call computes for a time that grows with the cost (46 ms at 10): call it
// only on a pool.
inline constexpr int kDefaultBcryptCost = 10;
inline constexpr size_t kMaxPasswordBytes = 72;  // bcrypt ignores further bytes

// "$2b$10$…". kInvalidArgument for an empty or too long password.
Result<std::string> HashPassword(std::string_view password, int cost = kDefaultBcryptCost);

// The comparison takes constant time for equal costs. A hash of another format ($apr1$, crypt,
// {SHA}) never matches.
bool VerifyPassword(std::string_view password, const std::string& hash);

// Adds the work that `hash` lacks to the default cost (htpasswd -B makes hashes of cost 5). The
// time of a rejection then does not reveal whether the user exists. Does nothing for a hash of the
// default cost or more.
void PadToDefaultCost(std::string_view password, const std::string& hash);

// kInvalidArgument, with the name of the format, unless the hash is bcrypt ($2a$, $2b$, $2y$).
Result<void> CheckPasswordHash(std::string_view hash);

}  // namespace outport
