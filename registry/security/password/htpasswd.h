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

// Parses a file that `htpasswd -B` wrote, with one NAME:HASH on each line. Ignores empty lines and
// lines that begin with '#'. kInvalidArgument gives the number of the first invalid line and the
// reason, for example a hash that is not bcrypt, or a name that occurs twice. Error texts never
// contain a hash.
Result<std::vector<HtpasswdUser>> ParseHtpasswd(std::string_view text);
std::string FormatHtpasswd(const HtpasswdUser& user);  // ends with a newline

}  // namespace outport
