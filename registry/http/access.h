#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/secret.h"
#include "registry/http/api/route.h"
#include "registry/http/connection/request_head.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/password/authenticator.h"

namespace outport::http {

// Who sends a request, and what it may do.
struct Sender {
  std::shared_ptr<const User> user;        // nullptr: no password came; shared with the directory
  std::shared_ptr<const Secret> password;  // that proved it; shared with the request
  Rights rights;
  bool as_anybody = false;  // it said so (kAnybody)

  // Names the sender in logs and to the store: the user, "certificate:NAME" where that alone gives
  // rights, empty for anybody.
  std::string Name() const;
};

// What decides who may come in. Both outlive what is asked with them.
struct Gate {
  AccessDirectory& directory;
  Authenticator& authenticator;
  const Clock& clock;
};

// Whether a client with this certificate may come in and stay: kCertificateInvalid once it has
// ended or was revoked.
Result<void> CheckCertificate(Gate gate, const CertificateIdentity& identity);

// Without an Authorization field (or with one that names no user, or kAnybody): what the
// certificate's name and anybody are granted; kUnauthorized if that is nothing. Else the user's
// name and password are checked: kUnauthorized, kTooManyRequests, kDenied, as Authenticator and
// CheckMayEnter say. `certificate`: the name in the client's. `origin`: what its attempts are
// counted by.
net::awaitable<Result<Sender>> Enter(Gate gate, std::string certificate, std::string origin,
                                     const RequestHead& head);

// Whether who was let in may stay: its user is as it was then, and may still enter.
Result<void> CheckMayStay(Gate gate, const Sender& sender, std::string_view certificate);

// The same, and whether its rights, as they are now, still allow what it was let in for.
Result<void> CheckMayGoOn(Gate gate, const Sender& sender, std::string_view certificate,
                          const Route& route, Method method);

// Whether the sender may do what `route` and `method` ask for: kDenied, naming user, action and
// repository. A ping is for users: clients learn by it whether to send a password. Lists are for
// all, each of what it may pull.
Result<void> Authorize(const Rights& rights, const Route& route, Method method);

// The change of the store that the answer must not be older than (Outport-Min-Sequence); 0 if the
// request names none. kInvalidArgument for what is no number.
Result<uint64_t> ParseMinSequence(const RequestHead& head);

}  // namespace outport::http
