#include "registry/access/credentials.h"

#include <algorithm>
#include <utility>

#include "registry/base/base64.h"

namespace outport {
namespace {

constexpr size_t kMaxCredentialBytes = 4096;
constexpr std::string_view kScheme = "basic ";

Result<PasswordCredentials> ParseBasicAuthorization(std::string_view field) {
  const Error rejected{ErrorCode::kUnauthorized,
                       "a user name and a password are required (HTTP Basic authentication)"};
  if (field.size() <= kScheme.size() || field.size() > kMaxCredentialBytes) return rejected;
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  if (!std::ranges::equal(field.substr(0, kScheme.size()), kScheme, same)) return rejected;
  field.remove_prefix(std::min(field.find_first_not_of(' ', kScheme.size()), field.size()));
  auto decoded = DecodeBase64(field, Base64::kStandard);
  if (!decoded.has_value()) return rejected;
  const Secret text(*decoded);
  Wipe(*decoded);
  const size_t colon = text.text().find(':');
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (colon == std::string_view::npos || colon == 0 || std::ranges::any_of(text.text(), control)) {
    return rejected;
  }
  return PasswordCredentials{std::string(text.text().substr(0, colon)),
                             Secret(text.text().substr(colon + 1))};
}

}  // namespace

Result<Credentials> ParseAuthorization(std::string_view field) {
  if (field.empty() || field == "Basic Og==" || field == "basic Og==") return NoCredentials{};
  TRY(PasswordCredentials credentials, ParseBasicAuthorization(field));
  return credentials;
}

std::optional<std::string_view> ChallengeOf(const Error& error) {
  if (error.code != ErrorCode::kUnauthorized) return std::nullopt;
  return "Basic realm=\"outport\"";
}

}  // namespace outport
