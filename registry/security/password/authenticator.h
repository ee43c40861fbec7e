#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/holder.h"
#include "registry/base/metrics.h"
#include "registry/base/secret.h"
#include "registry/security/grants/access_directory.h"

namespace outport {

// Verifies user names and passwords with bcrypt. A bounded cache keeps a keyed hash of each
// verified credential for a short time. Concurrent calls with the same credentials share one
// verification. A failed login takes the same work for an unknown user as for a known user.
//
// Each origin has its own queue of verifications, and the queues take turns. So many attempts from
// one origin do not delay other origins for long. An AttemptLimiter slows down repeated failures.
// Safe for all threads.
class Authenticator {
 public:
  struct Options {
    size_t cache_entries = 10000;
    std::chrono::seconds cache_lifetime{300};
    // During a pause of the AttemptLimiter, each rejection waits this long, to slow down the
    // connection.
    std::chrono::milliseconds rejection_delay{500};
  };
  // `pool` must run no other work than bcrypt. When its queue is full, attempts fail with
  // kTooManyRequests. The referenced objects must outlive the Authenticator.
  Authenticator(const AccessDirectory& users, BlockingPool& pool, const Clock& clock,
                Metrics& metrics, Options options);
  ~Authenticator();

  // Verifies the password and returns the current state of the user.
  // kUnauthorized: the user is unknown or the password is wrong. The message is the same for both.
  // kTooManyRequests: there were too many failures from `origin` (a network or a node) or for
  // this user, and the error gives the time to wait. Or too many verifications are queued.
  // kInternal: the verification threw an exception.
  // If the cache has the credentials, the call returns without suspending. A change of the user's
  // password invalidates the cached credentials. `name` and `password` must outlive the call.
  net::awaitable<Result<std::shared_ptr<const User>>> Authenticate(Holder origin,
                                                                   std::string_view name,
                                                                   std::string_view password);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the verifications on the pool
};

}  // namespace outport
