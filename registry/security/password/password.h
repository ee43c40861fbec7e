#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// Password hashes with bcrypt, by libxcrypt. A call computes for a long time: 46 ms at cost 10, and
// twice as long for each further cost. So call these functions only on a blocking pool.
inline constexpr int kDefaultBcryptCost = 10;
inline constexpr size_t kMaxPasswordBytes = 72;  // bcrypt ignores further bytes

// Returns a hash like "$2b$10$…". kInvalidArgument if the password is empty or too long.
Result<std::string> HashPassword(std::string_view password, int cost = kDefaultBcryptCost);

// Whether `hash` is the bcrypt hash of `password`. For hashes of equal cost, the time does not
// depend on the result. A hash of another format ($apr1$, crypt, {SHA}) never matches.
bool VerifyPassword(std::string_view password, const std::string& hash);

// Call this after a wrong password. If the cost of `hash` is below the default, computes more
// hashes, so that the rejection takes as long as with a hash of the default cost. The rejection of
// an unknown user takes this time too, so a faster one would reveal that the user exists. (htpasswd
// -B makes hashes of cost 5.)
void PadToDefaultCost(std::string_view password, const std::string& hash);

// kInvalidArgument unless the hash is bcrypt ($2a$, $2b$, $2y$). The error names the format of the
// hash.
Result<void> CheckPasswordHash(std::string_view hash);

}  // namespace outport
