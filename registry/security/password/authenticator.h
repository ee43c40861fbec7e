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

// Checks names and passwords: a bcrypt verification once, then a keyed, bounded, short-lived memory
// of credentials that were right. One verification is under way per credential, however many ask;
// unknown users cost the same work. Verifications wait in turn for each origin, so that one that
// floods holds up nobody else for long, and wrong ones are slowed down (AttemptLimiter). Safe for
// all threads.
class Authenticator {
 public:
  struct Options {
    size_t cache_entries = 10000;
    std::chrono::seconds cache_life{300};
    // Before an attempt that came too soon is refused: a connection can ask no faster.
    std::chrono::milliseconds refusal_delay{500};
  };
  // `pool` runs nothing but bcrypt: its queue is the limit beyond which 429 is answered, whoever
  // asks.
  Authenticator(const AccessDirectory& users, BlockingPool& pool, const Clock& clock,
                Metrics& metrics, Options options);
  ~Authenticator();

  // The user, as it is now. kUnauthorized, the same for unknown users and wrong passwords;
  // kTooManyRequests, with the time to wait, after too many wrong ones from `origin` (an address,
  // or what else they are counted by) or for that user, and when too many verifications wait;
  // kInternal when one ended by an exception. A remembered credential does not block and does not
  // suspend. A change of the user's password forgets what was remembered of it. `name` and
  // `password` outlive the call.
  net::awaitable<Result<std::shared_ptr<const User>>> Authenticate(std::string origin,
                                                                   std::string_view name,
                                                                   std::string_view password);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the verifications under way on the pool
};

}  // namespace outport
