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
// Admit() checks the peer again, since it may have been revoked while a password was verified, and
// then the grant. Admission::Recheck() re-authorises a request in progress.

// The parts that admission uses. The gate outlives its senders and admissions.
struct Gate {
  AccessDirectory& directory;
  Authenticator& authenticator;
  const Clock& clock;
  // Returns an error while this program cannot know the latest revocations. No request is admitted
  // then. Safe for all threads; does not block.
  std::function<Result<void>()> revocations_known = [] { return Result<void>(); };
};

// The authenticated sender of a request. A value; gate and peer outlive it.
struct Sender {
  const Gate* gate;
  const Peer* peer;
  std::shared_ptr<const User> user;        // null: no login; shared with the directory
  std::shared_ptr<const Secret> password;  // of the user; shared with the request
  // For logs and audit: the user's name, "certificate:NAME" if that alone has grants, or empty for
  // an anonymous sender.
  std::string name;
  bool asked_for_anonymous = false;  // logged in as kAnonymousUser

  // Re-authorises the sender between two requests: the peer is still accepted, the user exists, has
  // the same password, and may still log in.
  Result<void> Recheck() const;
};

// Authenticates the sender of a request. Without a user, the certificate's name or anonymous
// senders must have a grant. Returns the errors of Peer::Check(), Gate::revocations_known,
// `credentials`, Authenticator::Authenticate() and CheckMayLogIn(), in this order; kUnauthorized if
// credentials are missing. Suspends only while a password is verified.
net::awaitable<Result<Sender>> Authenticate(const Gate& gate, const Peer& peer,
                                            Result<Credentials> credentials);

// The purposes of requests.

// A check of the connection and the credentials. Clients send a password if the answer is
// kUnauthorized: it is, unless the sender is a user, has a certificate with grants, or has logged
// in as kAnonymousUser.
struct PingAccess {};
// A list of the repositories that the sender may pull from. Every sender is admitted.
struct CatalogAccess {};
// An action in one repository. The sender needs a grant.
struct RepositoryAccess {
  RepositoryName repository;
  Action action;
};
using Purpose = std::variant<PingAccess, CatalogAccess, RepositoryAccess>;

// The right of one sender to one purpose, as Admit() decided it. A value; gate and peer outlive it.
class Admission {
 public:
  const Sender& sender() const { return sender_; }
  // The sender's rights at the time of Admit().
  const Rights& rights() const { return rights_; }

  // Re-authorises a request in progress: checks the peer, the user, the grant and the revocations
  // as they are now. Does not block.
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
// kUnauthorized asks an anonymous sender to log in. REQUIRES: nothing was awaited since
// Authenticate(), whose user this function trusts.
Result<Admission> Admit(Sender sender, Purpose purpose);

}  // namespace outport
