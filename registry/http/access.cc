#include "registry/http/access.h"

#include <charconv>

namespace outport::http {

namespace {

Error NotLoggedIn() {
  return Error{ErrorCode::kUnauthorized,
               "no user name and password were sent: log in first (docker login)"};
}

Error NothingForAnybody() {
  return Error{ErrorCode::kUnauthorized,
               "nothing is granted to anybody here: log in as a user (docker login)"};
}

// The sender's user as it is now; nullptr if it has none. The error says why it may not stay.
Result<std::shared_ptr<const User>> UserOf(Gate gate, const Sender& sender,
                                           std::string_view certificate) {
  if (sender.user == nullptr) return std::shared_ptr<const User>();
  return UserNow(gate.directory, sender.user->name, sender.user.get(), certificate,
                 gate.clock.Wall());
}

}  // namespace

std::string Sender::Name() const {
  if (user != nullptr) return user->name;
  for (const Rights::Source& source : rights.sources()) {
    if (source.subject.kind == SubjectKind::kCertificate) return ToString(source.subject);
  }
  return {};
}

Result<void> CheckCertificate(Gate gate, const CertificateIdentity& identity) {
  const bool expired = identity.not_after <= gate.clock.Wall();
  if (!expired && !gate.directory.IsRevoked(identity)) return {};
  const std::string why = expired ? "has expired" : "was revoked";
  return Error{ErrorCode::kCertificateInvalid,
               "The SSL certificate is not accepted: it " + why +
                   "; ask an administrator for a new one (outportctl cert issue " + identity.name +
                   ")"};
}

net::awaitable<Result<Sender>> Enter(Gate gate, std::string certificate, std::string origin,
                                     const RequestHead& head) {
  const std::string_view authorization = head.authorization.text();
  const bool silent = NamesNobody(authorization);
  Credentials credentials;
  if (!silent) {
    CO_TRY(credentials, ParseBasicAuthorization(authorization));
  }
  if (silent || credentials.name == kAnybody) {
    Rights rights = gate.directory.RightsOf(nullptr, certificate);
    if (rights.sources().empty()) co_return silent ? NotLoggedIn() : NothingForAnybody();
    co_return Sender{nullptr, nullptr, std::move(rights), !silent};
  }
  CO_TRY(auto user, co_await gate.authenticator.Authenticate(std::move(origin), credentials.name,
                                                             credentials.password.text()));
  CO_TRY_VOID(CheckMayEnter(*user, certificate, gate.clock.Wall()));
  Rights rights = gate.directory.RightsOf(user, certificate);
  auto password = std::make_shared<const Secret>(std::move(credentials.password));
  co_return Sender{std::move(user), std::move(password), std::move(rights)};
}

Result<void> CheckMayStay(Gate gate, const Sender& sender, std::string_view certificate) {
  TRY_VOID(UserOf(gate, sender, certificate));
  return {};
}

Result<void> CheckMayGoOn(Gate gate, const Sender& sender, std::string_view certificate,
                          const Route& route, Method method) {
  TRY(const std::shared_ptr<const User> user, UserOf(gate, sender, certificate));
  if (route.noun == Noun::kPing && sender.as_anybody) return {};
  return Authorize(gate.directory.RightsOf(user, certificate), route, method);
}

Result<void> Authorize(const Rights& rights, const Route& route, Method method) {
  if (route.repository.has_value()) {
    return RequireGrant(rights, RequiredAction(route.noun, method), *route.repository);
  }
  if (route.noun == Noun::kPing && rights.anonymous()) return NotLoggedIn();
  return {};
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
