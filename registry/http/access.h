#pragma once

#include <memory>

#include "registry/http/request_head.h"
#include "registry/http/route.h"
#include "registry/security/authenticator.h"
#include "registry/security/user.h"

namespace outport::http {

// Who sends this request: the user of its Authorization field. kUnauthorized without one, or with
// a wrong one.
net::awaitable<Result<std::shared_ptr<const User>>> Authenticate(Authenticator& authenticator,
                                                                 const RequestHead& head);

// Whether `user` may do what `route` and `method` ask for: kDenied, naming user, action and
// repository. Whoever is known may ping, and list what it may pull.
Result<void> Authorize(const User& user, const Route& route, Method method);

}  // namespace outport::http
