#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "registry/access/credentials.h"
#include "registry/access/peer.h"
#include "registry/base/clock.h"
#include "registry/base/secret.h"
#include "registry/oci/name.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/password/authenticator.h"

namespace outport {

// Every request passes two steps, over HTTP and relayed by a node alike:
//
//   CO_TRY(Sender sender, co_await Authenticate(gate, peer, ParseAuthorization(field)));
//   CO_TRY(const Admission admission, Admit(std::move(sender), purpose));
//
// The order of the checks is: peer, revocations, credentials, user (Authenticate); then peer and
// grant (Admit), since the peer may have been revoked while a password was verified. While the
// request is in progress, Admission::Recheck() decides again.

// What admission consults. It outlives the senders and admissions that are made with it.
struct Gate {
  AccessDirectory& directory;
  Authenticator& authenticator;
  const Clock& clock;
  // An error while this program cannot know the latest revocations: nobody is admitted then.
  // Called by any thread; does not block.
  std::function<Result<void>()> revocations_known = [] { return Result<void>(); };
};

// The authenticated sender of a request. A value; gate and peer outlive it.
struct Sender {
  const Gate* gate;
  const Peer* peer;
  std::shared_ptr<const User> user;        // null: no password was sent; shared with the directory
  std::shared_ptr<const Secret> password;  // that proved the user; shared with the request
  // For logs and audit: the user's name, "certificate:NAME" if that alone has grants, or empty for
  // an anonymous sender.
  std::string name;
  bool asked_for_anonymous = false;  // sent kAnonymousUser

  // Re-authorises the sender between two requests: the peer is still accepted, the user exists, has
  // the same password, and may still log in.
  Result<void> Recheck() const;
};

// Finds out who sends a request. Without a user, the certificate's name or anonymous senders must
// have a grant. Returns the errors of Peer::Check(), Gate::revocations_known, `credentials`,
// Authenticator::Authenticate() and CheckMayLogIn(), in this order; kUnauthorized if credentials
// are missing. Suspends only while a password is verified.
net::awaitable<Result<Sender>> Authenticate(const Gate& gate, const Peer& peer,
                                            Result<Credentials> credentials);

// To check the connection and the credentials. Asks for credentials, since clients learn by it that
// they must send a password: kUnauthorized without a user or a certificate with grants.
struct PingAccess {};
// To list repositories. Open to every sender; the list holds what the sender may pull.
struct CatalogAccess {};
// To act in one repository: the sender needs a grant.
struct RepositoryAccess {
  RepositoryName repository;
  Action action;
};
using Purpose = std::variant<PingAccess, CatalogAccess, RepositoryAccess>;

// The decision that a sender may do what it asks for. A value; gate and peer outlive it.
class Admission {
 public:
  const Sender& sender() const { return sender_; }
  // What the sender may do, as of Admit().
  const Rights& rights() const { return rights_; }

  // Re-authorises the request in progress by what the directory says now: peer, user, grant, and
  // whether revocations are known. Does not block.
  Result<void> Recheck() const;

 private:
  friend Result<Admission> Admit(Sender sender, Purpose purpose);
  Admission(Sender sender, Purpose purpose, Rights rights)
      : sender_(std::move(sender)), purpose_(std::move(purpose)), rights_(std::move(rights)) {}

  Sender sender_;
  Purpose purpose_;
  Rights rights_;
};

// Authorises what a sender asks for: kDenied names the sender, the action and the repository;
// kUnauthorized asks an anonymous sender to log in. Decides by the user that Authenticate() found,
// so call it before anything else is awaited.
Result<Admission> Admit(Sender sender, Purpose purpose);

}  // namespace outport
