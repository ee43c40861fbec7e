#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "registry/access/credentials.h"
#include "registry/access/peer.h"
#include "registry/base/clock.h"
#include "registry/base/secret.h"
#include "registry/oci/name.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/password/authenticator.h"

namespace outport {

// The admission of requests that come over HTTP, and of requests that a node relays. Each request
// takes two steps:
//
//   CO_TRY(Sender sender, co_await Authenticate(gate, peer, ParseAuthorization(field)));
//   CO_TRY(const Admission admission, Admit(std::move(sender), purpose));
//
// Authenticate() checks the peer, the revocations, the credentials and the user, in this order.
// Admit() checks the peer again, since its certificate may have been revoked while a password was
// verified. Then Admit() checks the grant. Admission::Recheck() re-authorises a request in
// progress.

// The parts that admission uses. The gate outlives its senders and admissions.
struct Gate {
  AccessDirectory& directory;
  Authenticator& authenticator;
  const Clock& clock;
  // Returns an error while this program cannot know the latest revocations. While it returns an
  // error, no request is admitted. Safe for all threads; does not block.
  std::function<Result<void>()> revocations_known = [] { return Result<void>(); };
};

// The authenticated sender of a request. A value type. The gate and the peer outlive the sender.
struct Sender {
  const Gate* gate;
  const Peer* peer;
  std::shared_ptr<const User> user;  // null if the sender is no user; shared with the directory
  std::shared_ptr<const Secret> password;  // the user's password; shared with the request
  // The sender's name in the logs and the audit log. It is the user's name, "certificate:NAME" if
  // only the certificate's name has grants, or empty for an anonymous sender.
  std::string name;
  bool asked_for_anonymous = false;  // logged in as kAnonymousUser

  // Re-authorises the sender between two requests. Checks that the peer is still accepted, and that
  // the user exists, has the same password and may still log in.
  Result<void> Recheck() const;
};

// Authenticates the sender of a request. If the request names no user, the certificate's name or
// anonymous senders must have a grant. Returns the errors of Peer::Check(),
// Gate::revocations_known, `credentials`, Authenticator::Authenticate() and CheckMayLogIn(), in
// this order. Returns kUnauthorized if credentials are missing. Suspends only while a password is
// verified.
net::awaitable<Result<Sender>> Authenticate(const Gate& gate, const Peer& peer,
                                            Result<Credentials> credentials);

// The purposes of requests.

// A check of the connection and the credentials. A client sends its password only after the answer
// kUnauthorized. So Admit() returns kUnauthorized unless the sender is a user, has a certificate
// with grants, or has logged in as kAnonymousUser.
struct PingAccess {};
// A list of the repositories that the sender may pull from. Every sender is admitted.
struct CatalogAccess {};
// An action in one repository. The sender needs a grant.
struct RepositoryAccess {
  RepositoryName repository;
  Action action;
};
using Purpose = std::variant<PingAccess, CatalogAccess, RepositoryAccess>;

// The result of Admit(): the right of one sender to one purpose. A value type. The gate and the
// peer outlive the admission.
class Admission {
 public:
  const Sender& sender() const { return sender_; }
  // The sender's rights at the time of Admit().
  const Rights& rights() const { return rights_; }

  // Re-authorises a request in progress: checks the current state of the peer, the user, the grant
  // and the revocations. Does not block.
  Result<void> Recheck() const;

 private:
  friend Result<Admission> Admit(Sender sender, Purpose purpose);
  Admission(Sender sender, Purpose purpose, Rights rights)
      : sender_(std::move(sender)), purpose_(std::move(purpose)), rights_(std::move(rights)) {}

  Sender sender_;
  Purpose purpose_;
  Rights rights_;
};

// Authorises a sender for a purpose. kDenied names the sender, the action and the repository;
// kUnauthorized asks an anonymous sender to log in. REQUIRES: the caller has awaited nothing since
// Authenticate(), because Admit() does not look up the user again.
Result<Admission> Admit(Sender sender, Purpose purpose);

}  // namespace outport
