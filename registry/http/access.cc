#include "registry/http/access.h"

#include <charconv>

namespace outport::http {

net::awaitable<Result<Sender>> Authenticate(Authenticator& authenticator, const RequestHead& head) {
  if (head.authorization.empty()) {
    co_return Error{ErrorCode::kUnauthorized,
                    "no user name and password were sent: log in first (docker login)"};
  }
  CO_TRY(Credentials credentials, ParseBasicAuthorization(head.authorization));
  CO_TRY(auto user,
         co_await authenticator.Authenticate(std::move(credentials.name), credentials.password));
  co_return Sender{std::move(user), std::move(credentials.password)};
}

Result<void> Authorize(const User& user, const Route& route, Method method) {
  if (!route.repository.has_value()) return {};
  return RequireGrant(user, RequiredAction(route.noun, method), *route.repository);
}

Result<uint64_t> ParseMinSequence(const RequestHead& head) {
  const std::string_view text = head.min_sequence;
  if (text.empty()) return uint64_t{0};
  uint64_t sequence = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (failure == std::errc() && end == text.data() + text.size()) return sequence;
  return Error{ErrorCode::kInvalidArgument,
               "Outport-Min-Sequence: '" + std::string(text.substr(0, 64)) +
                   "' is no number of a change; send what Outport-Sequence said"};
}

}  // namespace outport::http
