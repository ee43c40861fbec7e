#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// Password hashes with bcrypt, by libxcrypt. A call computes for a long time: 46 ms at cost 10, and
// twice as long for each further cost. So call these functions only on a blocking pool.
inline constexpr int kDefaultBcryptCost = 10;
inline constexpr size_t kMaxPasswordBytes = 72;  // bcrypt ignores further bytes

// kInvalidArgument, with the reason, unless a client can log in with this password: it has 1 to 72
// bytes, no control characters (ParseAuthorization() rejects them) and no byte order mark at its
// beginning.
Result<void> CheckNewPassword(std::string_view password);

// Returns a hash like "$2b$10$…". Returns the error of CheckNewPassword() for other passwords.
Result<std::string> HashPassword(std::string_view password, int cost = kDefaultBcryptCost);

// Whether `hash` is the bcrypt hash of `password`. For hashes of equal cost, the time does not
// depend on the result. A hash of another format ($apr1$, crypt, {SHA}) never matches.
//
// Only the first 72 bytes of a longer password count, as with other programs that use bcrypt. A
// password of exactly 72 bytes never matches a hash of $2a$ or $2y$, because the hash may be that
// of a longer password. (htpasswd -B makes $2y$; HashPassword() makes $2b$.)
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
