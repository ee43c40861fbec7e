#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport {

struct HtpasswdUser {
  std::string name;
  std::string password_hash;  // bcrypt
  bool operator==(const HtpasswdUser&) const = default;
};

// The users of a file as `htpasswd -B` writes it: NAME:HASH, a line each; empty lines and those
// that begin with '#' do not count. kInvalidArgument names the first line that is no such, by its
// number, and what its hash is instead of bcrypt; or a name that comes twice. Never repeats a hash.
Result<std::vector<HtpasswdUser>> ParseHtpasswd(std::string_view text);
std::string FormatHtpasswd(const HtpasswdUser& user);  // with a newline

}  // namespace outport
