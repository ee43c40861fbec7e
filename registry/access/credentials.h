#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "registry/base/result.h"
#include "registry/base/secret.h"

namespace outport {

// The caller sent no credentials.
struct NoCredentials {};

// A user's name and password. A caller that sends the name kAnonymousUser is anonymous, whatever
// the password.
struct PasswordCredentials {
  std::string user;
  Secret password;
};

// The credentials of one request.
using Credentials = std::variant<NoCredentials, PasswordCredentials>;

// Reads the value of an HTTP Authorization field: "Basic <base64 of name:password>" (RFC 7617).
// Returns NoCredentials for an empty field. Also returns NoCredentials for an empty name with an
// empty password ("Basic Og=="), which some clients send without a login. Returns kUnauthorized for
// any other text.
Result<Credentials> ParseAuthorization(std::string_view field);

// Returns the value of the WWW-Authenticate field for an answer with this error. Returns nullopt if
// the error does not ask for credentials.
std::optional<std::string_view> ChallengeOf(const Error& error);

}  // namespace outport
