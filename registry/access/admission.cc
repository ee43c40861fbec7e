#include "registry/access/admission.h"

#include <utility>

namespace outport {
namespace {

Error NotLoggedIn() {
  return Error{ErrorCode::kUnauthorized,
               "no user name and password were sent: log in first (docker login)"};
}

Error AnonymousDisabled() {
  return Error{ErrorCode::kUnauthorized,
               "anonymous access is disabled: log in as a user (docker login)"};
}

Error NodeCannotVouch() {
  return Error{
      ErrorCode::kUnauthorized,
      "a write through a node needs a user and a password: a node cannot vouch for a client "
      "certificate"};
}

// Returns a sender without a user. Returns an error if neither its certificate nor anonymous
// senders have grants.
Result<Sender> WithoutUser(const Gate& gate, const Peer& peer, bool asked_for_anonymous) {
  if (!peer.certificate_is_verified()) return NodeCannotVouch();
  Sender sender{.gate = &gate,
                .peer = &peer,
                .user = nullptr,
                .password = nullptr,
                .name = {},
                .asked_for_anonymous = asked_for_anonymous};
  const Subject certificate{SubjectKind::kCertificate, std::string(peer.certificate_name())};
  if (!certificate.name.empty() && gate.directory.HasGrants(certificate)) {
    sender.name = ToString(certificate);
  } else if (!gate.directory.HasGrants({SubjectKind::kAnonymous, {}})) {
    return asked_for_anonymous ? AnonymousDisabled() : NotLoggedIn();
  }
  return sender;
}

// Returns the current state of the sender's user from the directory. Returns null if the sender has
// no user, and an error if the user may no longer log in.
Result<std::shared_ptr<const User>> UserNow(const Sender& sender) {
  if (sender.user == nullptr) return std::shared_ptr<const User>();
  const Gate& gate = *sender.gate;
  std::shared_ptr<const User> user = gate.directory.Find(sender.user->name);
  if (user == nullptr || user->password_hash != sender.user->password_hash) {
    return Error{
        ErrorCode::kUnauthorized,
        "user '" + sender.user->name + "' was removed, or its password was changed; log in again"};
  }
  TRY_VOID(CheckMayLogIn(*user, sender.peer->certificate_name(), gate.clock.Wall()));
  return user;
}

// Returns the rights of `user` on the sender's connection. Returns an error if the rights do not
// suffice for `purpose`.
Result<Rights> Authorise(const Sender& sender, const std::shared_ptr<const User>& user,
                         std::shared_ptr<const NodePermissions> bounds, const Purpose& purpose) {
  const Peer& peer = *sender.peer;
  Rights rights = sender.gate->directory.RightsOf(
      user, peer.certificate_is_verified() ? peer.certificate_name() : std::string_view());
  if (bounds != nullptr) rights = rights.LimitedTo(std::move(bounds));
  if (const auto* access = std::get_if<RepositoryAccess>(&purpose)) {
    TRY_VOID(RequireGrant(rights, access->action, access->repository));
  } else if (std::holds_alternative<PingAccess>(purpose)) {
    if (rights.anonymous() && !sender.asked_for_anonymous) return NotLoggedIn();
  }
  return rights;
}

}  // namespace

Result<void> Sender::Recheck() const {
  TRY_VOID(peer->Check());
  TRY_VOID(UserNow(*this));
  return {};
}

net::awaitable<Result<Sender>> Authenticate(const Gate& gate, const Peer& peer,
                                            Result<Credentials> credentials) {
  CO_TRY_VOID(peer.Check());
  CO_TRY_VOID(gate.revocations_known());
  if (!credentials.has_value()) co_return credentials.error();
  auto* login = std::get_if<PasswordCredentials>(&*credentials);
  if (login == nullptr || login->user == kAnonymousUser) {
    co_return WithoutUser(gate, peer, /*asked_for_anonymous=*/login != nullptr);
  }
  CO_TRY(auto user, co_await gate.authenticator.Authenticate(peer.origin(), login->user,
                                                             login->password.text()));
  CO_TRY_VOID(CheckMayLogIn(*user, peer.certificate_name(), gate.clock.Wall()));
  auto password = std::make_shared<const Secret>(std::move(login->password));
  std::string name = user->name;
  co_return Sender{.gate = &gate,
                   .peer = &peer,
                   .user = std::move(user),
                   .password = std::move(password),
                   .name = std::move(name)};
}

Result<Admission> Admit(Sender sender, Purpose purpose) {
  TRY(auto bounds, sender.peer->Check());
  TRY(Rights rights, Authorise(sender, sender.user, std::move(bounds), purpose));
  return Admission(std::move(sender), std::move(purpose), std::move(rights));
}

Result<void> Admission::Recheck() const {
  TRY(auto bounds, sender_.peer->Check());
  TRY(const auto user, UserNow(sender_));
  TRY_VOID(Authorise(sender_, user, std::move(bounds), purpose_));
  return sender_.gate->revocations_known();
}

}  // namespace outport
