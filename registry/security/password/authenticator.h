#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/metrics.h"
#include "registry/base/secret.h"
#include "registry/security/grants/access_directory.h"

namespace outport {

// Verifies user names and passwords with bcrypt. A bounded cache keeps verified credentials, as
// keyed hashes, for a short time. Concurrent calls with the same credential share one verification.
// An unknown user costs the same work as a known one.
//
// Verifications queue by origin and take turns, so that a flood from one origin does not delay the
// others for long. AttemptLimiter slows down failures. Safe for all threads.
class Authenticator {
 public:
  struct Options {
    size_t cache_entries = 10000;
    std::chrono::seconds cache_lifetime{300};
    // During a pause, an attempt is rejected only after this delay, to slow down each connection.
    std::chrono::milliseconds rejection_delay{500};
  };
  // `pool` runs only bcrypt. When its queue is full, attempts are rejected with kTooManyRequests.
  // The references outlive the Authenticator.
  Authenticator(const AccessDirectory& users, BlockingPool& pool, const Clock& clock,
                Metrics& metrics, Options options);
  ~Authenticator();

  // Returns the user in its current state.
  // kUnauthorized: an unknown user or a wrong password, with the same message.
  // kTooManyRequests: too many failures from `origin` (an address, or its network) or for this
  // user, with the time to wait; or too many verifications are queued.
  // kInternal: the verification threw an exception.
  // A cached credential neither blocks nor suspends. A change of the user's password invalidates
  // its cached credential. `name` and `password` outlive the call.
  net::awaitable<Result<std::shared_ptr<const User>>> Authenticate(std::string origin,
                                                                   std::string_view name,
                                                                   std::string_view password);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the verifications on the pool
};

}  // namespace outport
