#include "registry/security/grants/user.h"

#include <algorithm>

#include "registry/base/clock.h"

namespace outport {

Result<void> CheckMayLogIn(const User& user, std::string_view certificate,
                           std::chrono::system_clock::time_point now) {
  if (user.disabled) {
    return Error{ErrorCode::kUnauthorized,
                 "user '" + user.name + "' is disabled; an administrator can enable it"};
  }
  if (user.expires.has_value() && *user.expires <= now) {
    return Error{ErrorCode::kUnauthorized, "user '" + user.name + "' expired at " +
                                               FormatTime(*user.expires) +
                                               "; an administrator can extend it"};
  }
  const auto matches = [&](const std::string& glob) {
    return glob.starts_with(kForeignPrefix) == certificate.starts_with(kForeignPrefix) &&
           MatchesName(glob, certificate);
  };
  if (user.only_from.empty() || std::ranges::any_of(user.only_from, matches)) return {};
  const std::string shown =
      certificate.empty() ? "no certificate was sent"
                          : "the certificate that was sent is '" + std::string(certificate) + "'";
  std::string wanted;
  for (const std::string& glob : user.only_from)
    wanted += (wanted.empty() ? "'" : ", '") + glob + "'";
  return Error{ErrorCode::kDenied, "user '" + user.name +
                                       "' may log in only with a client certificate named " +
                                       wanted + "; " + shown};
}

}  // namespace outport
