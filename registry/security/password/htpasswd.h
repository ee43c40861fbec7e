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

// Parses a file as `htpasswd -B` writes it: one NAME:HASH a line. Empty lines and lines that begin
// with '#' are ignored. kInvalidArgument gives the number of the first invalid line and the reason:
// a hash of another format, or a name that occurs twice. Error texts never contain a hash.
Result<std::vector<HtpasswdUser>> ParseHtpasswd(std::string_view text);
std::string FormatHtpasswd(const HtpasswdUser& user);  // ends with a newline

}  // namespace outport
