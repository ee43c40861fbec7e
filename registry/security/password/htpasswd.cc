#include "registry/security/password/htpasswd.h"

#include <set>

#include "registry/security/password/password.h"
#include "registry/security/pki/identity.h"

namespace outport {
namespace {

Result<HtpasswdUser> ParseLine(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "no ':' found; write NAME:HASH"};
  }
  TRY(std::string name, ParseSubjectName(line.substr(0, colon)));
  const std::string_view hash = line.substr(colon + 1);
  TRY_VOID(CheckPasswordHash(hash));
  return HtpasswdUser{std::move(name), std::string(hash)};
}

}  // namespace

Result<std::vector<HtpasswdUser>> ParseHtpasswd(std::string_view text) {
  std::vector<HtpasswdUser> users;
  std::set<std::string> names;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const std::string where = "line " + std::to_string(number);
    Result<HtpasswdUser> user = ParseLine(line);
    if (!user.has_value()) return Error(std::move(user).error()).Within(where);
    if (!names.insert(user->name).second) {
      return Error{ErrorCode::kInvalidArgument, where + ": the user '" + user->name +
                                                    "' is listed twice; remove one of the lines"};
    }
    users.push_back(*std::move(user));
  }
  return users;
}

std::string FormatHtpasswd(const HtpasswdUser& user) {
  return user.name + ":" + user.password_hash + "\n";
}

}  // namespace outport
