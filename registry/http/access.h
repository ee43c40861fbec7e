#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "registry/http/request_head.h"
#include "registry/http/route.h"
#include "registry/security/authenticator.h"
#include "registry/security/user.h"

namespace outport::http {

// Who sends a request: the user of its Authorization field, and the password that proved it.
struct Sender {
  std::shared_ptr<const User> user;  // shared with the directory, which may change it meanwhile
  std::string password;
};

// kUnauthorized without an Authorization field, or with a wrong one.
net::awaitable<Result<Sender>> Authenticate(Authenticator& authenticator, const RequestHead& head);

// Whether `user` may do what `route` and `method` ask for: kDenied, naming user, action and
// repository. Whoever is known may ping, and list what it may pull.
Result<void> Authorize(const User& user, const Route& route, Method method);

// The change of the store that the answer must not be older than (Outport-Min-Sequence); 0 if the
// request names none. kInvalidArgument for what is no number.
Result<uint64_t> ParseMinSequence(const RequestHead& head);

}  // namespace outport::http
