#include <optional>

#include "registry/access/credentials.h"
#include "registry/base/base64.h"
#include "registry/security/grants/grant.h"
#include "registry/security/password/htpasswd.h"
#include "registry/security/password/password.h"
#include "registry/security/pki/invitation.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using fuzzing::Require;

// Parses the input as an Authorization field, an htpasswd file, a hash (after the first colon), a
// grant and an invitation. Verifies no password, because an accepted hash may take a second.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzzing::AsText(data, size);
  const auto credentials = ParseAuthorization(text);
  if (credentials.has_value()) {
    const auto* login = std::get_if<PasswordCredentials>(&*credentials);
    Require(login == nullptr || (!login->user.empty() && !login->user.contains(':')),
            "a name has no colon");
  } else {
    Require(credentials.error().code == ErrorCode::kUnauthorized, "no credentials, no entry");
  }
  // A name and a password without control characters are returned unchanged.
  const std::string pair = "user:" + std::string(text);
  const auto back = ParseAuthorization("Basic " + EncodeBase64(pair, Base64::kStandard));
  if (back.has_value()) {
    Require(std::get<PasswordCredentials>(*back).password.text() == text,
            "a password is read as it was sent");
  }

  for (const Base64 kind : {Base64::kStandard, Base64::kUrl}) {
    const std::optional<std::string> bytes = DecodeBase64(text, kind);
    if (bytes.has_value()) Require(EncodeBase64(*bytes, kind) == text, "base64 has one form");
  }
  const auto users = ParseHtpasswd(text);
  if (users.has_value()) {
    std::string written;
    for (const HtpasswdUser& user : *users) written += FormatHtpasswd(user);
    const auto again = ParseHtpasswd(written);
    Require(again.has_value() && again->size() == users->size(), "users are read again");
  }
  const std::string_view hash = text.substr(std::min(text.size(), text.find(':') + 1));
  if (CheckPasswordHash(hash).has_value()) Require(hash.size() == 60, "a hash is whole");

  const auto grant = ParseGrant(text);
  if (grant.has_value()) {
    const auto again = ParseGrant(ToString(*grant));
    Require(again.has_value() && again->actions == grant->actions, "a grant is read again");
    (void)MatchesPattern(grant->pattern, "team/app/with/some/depth");
  }
  const auto token = InvitationToken::Decode(text);
  if (token.has_value()) Require(token->Encode() == text, "a token has one form");
  return 0;
}
