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

// A user's name and password. A caller with the name kAnonymousUser is anonymous, with any
// password.
struct PasswordCredentials {
  std::string user;
  Secret password;
};

// The credentials of one request.
using Credentials = std::variant<NoCredentials, PasswordCredentials>;

// Reads the value of an HTTP Authorization field: "Basic <base64 of name:password>" (RFC 7617).
// An empty field, and one with neither name nor password ("Basic Og==", which some clients send
// without a login), hold no credentials. kUnauthorized for any other text.
Result<Credentials> ParseAuthorization(std::string_view field);

// The value of the WWW-Authenticate field of an answer with this error; nullopt: the error does not
// ask for credentials.
std::optional<std::string_view> ChallengeOf(const Error& error);

}  // namespace outport
