#include "registry/http/access.h"

namespace outport::http {

net::awaitable<Result<std::shared_ptr<const User>>> Authenticate(Authenticator& authenticator,
                                                                 const RequestHead& head) {
  if (head.authorization.empty()) {
    co_return Error{ErrorCode::kUnauthorized,
                    "no user name and password were sent: log in first (docker login)"};
  }
  CO_TRY(Credentials credentials, ParseBasicAuthorization(head.authorization));
  co_return co_await authenticator.Authenticate(std::move(credentials.name),
                                                std::move(credentials.password));
}

Result<void> Authorize(const User& user, const Route& route, Method method) {
  if (!route.repository.has_value()) return {};
  const Action action = RequiredAction(route.noun, method);
  if (user.Allows(action, *route.repository)) return {};
  return Error{ErrorCode::kDenied,
               "user '" + user.name + "' has no grant to " + std::string(ToString(action)) +
                   " in '" + route.repository->ToString() + "'; an administrator can give one"};
}

}  // namespace outport::http
