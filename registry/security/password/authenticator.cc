#include "registry/security/password/authenticator.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <optional>

#include "registry/base/fair_queue.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/security/password/attempt_limiter.h"
#include "registry/security/password/credential_cache.h"
#include "registry/security/password/password.h"

namespace outport {
namespace {

// The hash against which the passwords of unknown users are verified. It has the default cost.
const std::string& HashOfUnknownUser() {
  static const std::string kHash = "$2b$10$kuewjqBXq8oBhpxDIR9o4.XdQsLqxFsC1H/MDnRxwcWxTv1BUEBN2";
  return kHash;
}

constexpr std::chrono::seconds kVerificationDeadline{30};
constexpr size_t kQueuePerOrigin = 32;
constexpr size_t kMaxCountedNameBytes = 64;  // no user has a longer name

// The error for unknown users and for wrong passwords, so that it does not reveal which users
// exist.
Error WrongCredentials() {
  return Error{ErrorCode::kUnauthorized, "the user name or the password is wrong"};
}

Error TooManyFailures(std::chrono::seconds pause) {
  return Error{.code = ErrorCode::kTooManyRequests,
               .message =
                   "too many wrong passwords from this address or for this user; try "
                   "again in " +
                   std::to_string(pause.count()) + " s",
               .retry_after_seconds = static_cast<int>(pause.count())};
}

enum class Outcome { kPending, kRight, kWrong, kFailed };

}  // namespace

struct Authenticator::State {
  // A verification in progress. All calls that wait for it share this object.
  struct Flight {
    Notifier finished;
    std::atomic<Outcome> outcome = Outcome::kPending;
    std::optional<Error> failure;  // set before `outcome` becomes kFailed
  };

  // The input of a verification, without the password.
  struct Request {
    Holder origin;
    Attempt attempt;
    std::string hash;
    bool known;  // whether the user exists
  };

  State(const AccessDirectory& users_in, BlockingPool& pool_in, const Clock& clock_in,
        Metrics& metrics, const Options& options)
      : users(users_in),
        pool(pool_in),
        clock(clock_in),
        hits(
            metrics.Counter("outport_auth_cache_hits_total",
                            "Passwords accepted from the cache of recently verified credentials.")),
        verifications(
            metrics.Counter("outport_auth_verifications_total", "Passwords verified with bcrypt.")),
        wrong(metrics.Counter("outport_auth_failures_total", "Credentials not accepted, by reason.",
                              {{"reason", "invalid_credentials"}})),
        overloaded(metrics.Counter("outport_auth_failures_total",
                                   "Credentials not accepted, by reason.",
                                   {{"reason", "overload"}})),
        limited(metrics.Counter("outport_auth_failures_total",
                                "Credentials not accepted, by reason.",
                                {{"reason", "rate_limited"}})),
        rejection_delay(options.rejection_delay),
        cache(options.cache_entries, options.cache_lifetime) {}

  // Joins or starts the verification of the credentials with this MAC. Returns nullptr if the cache
  // has the MAC, or an error if the verification may not start.
  Result<std::shared_ptr<Flight>> Join(const std::shared_ptr<State>& self, const CredentialMac& mac,
                                       const Request& request, std::string_view password) {
    MutexLock lock(mutex);
    const Attempt& attempt = request.attempt;
    const auto now = clock.SinceBoot();
    if (cache.Contains(mac, now)) return nullptr;
    if (const auto found = flights.find(mac); found != flights.end()) return found->second;
    if (const auto pause = limiter.Pause(attempt, now); pause > pause.zero()) {
      limited.Increment();
      return TooManyFailures(pause);
    }
    auto flight = std::make_shared<Flight>();
    // The pool owns the work, because the call that started it may end before other calls that wait
    // for it.
    auto verify = [self, flight, mac, request, secret = Secret(password)] {
      auto verify_password = [&]() -> Result<Outcome> {
        // For an unknown user, do the same work and then reject the password in any case.
        const bool right = VerifyPassword(secret.text(), request.hash) && request.known;
        if (!right) PadToDefaultCost(secret.text(), request.hash);
        return right ? Outcome::kRight : Outcome::kWrong;
      };
      const Result<Outcome> outcome = Guarded(verify_password);
      if (!outcome.has_value()) flight->failure = outcome.error();
      self->Finish(mac, request.attempt, *flight, outcome.value_or(Outcome::kFailed));
    };
    // Post one turn for each piece of work. The fair queue chooses the work when the turn runs.
    const bool posted =
        queue.QueuedBy(request.origin) < kQueuePerOrigin && pool.Post([self] { self->TakeTurn(); });
    if (!posted) {
      overloaded.Increment();
      return pool.Rejection();
    }
    verifications.Increment();
    queue.Push(request.origin, {.run = std::move(verify)});
    flights.emplace(mac, flight);
    return flight;
  }

  // Runs the next verification.
  void TakeTurn() {
    const auto pop = [this] {
      MutexLock lock(mutex);
      return queue.Pop();
    };
    FairQueue::Next next = pop();
    const auto begin = std::chrono::steady_clock::now();
    next.run();
    next.run = nullptr;
    MutexLock lock(mutex);
    queue.Finished(next, std::chrono::steady_clock::now() - begin);
  }

  void Finish(const CredentialMac& mac, const Attempt& attempt, Flight& flight, Outcome outcome) {
    auto record = [&]() -> Result<Outcome> {
      const auto now = clock.SinceBoot();
      MutexLock lock(mutex);
      if (outcome == Outcome::kWrong) limiter.RecordFailure(attempt, now);
      if (outcome == Outcome::kRight) {
        limiter.RecordSuccess(attempt);
        cache.Insert(mac, now);
      }
      return outcome;
    };
    const Result<Outcome> recorded = Guarded(record);
    if (!recorded.has_value()) flight.failure = recorded.error();
    {
      MutexLock lock(mutex);
      flights.erase(mac);
      flight.outcome = recorded.value_or(Outcome::kFailed);
    }
    flight.finished.Notify();
  }

  const AccessDirectory& users;
  BlockingPool& pool;
  const Clock& clock;
  prometheus::Counter& hits;
  prometheus::Counter& verifications;
  prometheus::Counter& wrong;
  prometheus::Counter& overloaded;
  prometheus::Counter& limited;
  const std::chrono::milliseconds rejection_delay;
  const CredentialMacKey mac_key;
  Mutex mutex;
  CredentialCache cache OUTPORT_GUARDED_BY(mutex);
  AttemptLimiter limiter OUTPORT_GUARDED_BY(mutex);
  FairQueue queue OUTPORT_GUARDED_BY(mutex);
  // The verifications in progress. The job in the pool and the calls that wait for its outcome
  // share a Flight. The pool's queue limits how many there are.
  std::map<CredentialMac, std::shared_ptr<Flight>> flights OUTPORT_GUARDED_BY(mutex);
};

Authenticator::Authenticator(const AccessDirectory& users, BlockingPool& pool, const Clock& clock,
                             Metrics& metrics, Options options)
    : state_(std::make_shared<State>(users, pool, clock, metrics, options)) {}
Authenticator::~Authenticator() = default;

net::awaitable<Result<std::shared_ptr<const User>>> Authenticator::Authenticate(
    Holder origin, std::string_view name, std::string_view password) {
  const std::shared_ptr<State> state = state_;
  std::shared_ptr<const User> user = state->users.Find(name);
  const bool known = user != nullptr;
  const State::Request request{
      .origin = origin,
      .attempt = {ToString(origin), std::string(name.substr(0, kMaxCountedNameBytes))},
      .hash = known ? user->password_hash : HashOfUnknownUser(),
      .known = known};
  const CredentialMac mac = state->mac_key.MacOf(name, password, request.hash);
  auto joined = state->Join(state, mac, request, password);
  if (!joined.has_value() && joined.error().retry_after_seconds > 0) {
    net::steady_timer delay(co_await net::this_coro::executor, state->rejection_delay);
    co_await delay.async_wait(net::as_tuple(net::use_awaitable));
  }
  CO_TRY(const std::shared_ptr<State::Flight> flight, std::move(joined));
  if (flight == nullptr) {
    state->hits.Increment();
    co_return user;
  }
  const auto deadline = std::chrono::steady_clock::now() + kVerificationDeadline;
  for (;;) {
    const uint64_t seen = flight->finished.Version();
    if (flight->outcome != Outcome::kPending) break;
    if (!co_await flight->finished.WaitPast(seen, deadline)) break;
  }
  const Outcome outcome = flight->outcome;
  if (outcome == Outcome::kPending) {
    state->overloaded.Increment();
    co_return state->pool.Rejection();
  }
  if (outcome == Outcome::kFailed) {
    co_return Error(*flight->failure).Within("verifying a password");
  }
  if (outcome == Outcome::kWrong) {
    state->wrong.Increment();
    co_return WrongCredentials();
  }
  // The user may have been removed or changed since the verification began.
  user = state->users.Find(name);
  if (user == nullptr || user->password_hash != request.hash) {
    state->wrong.Increment();
    co_return WrongCredentials();
  }
  co_return user;
}

}  // namespace outport
