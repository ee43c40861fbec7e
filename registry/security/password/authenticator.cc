#include "registry/security/password/authenticator.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <optional>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/security/password/attempt_limiter.h"
#include "registry/security/password/credential_cache.h"
#include "registry/security/password/fair_queue.h"
#include "registry/security/password/password.h"

namespace outport {
namespace {

// A hash of nobody's, at the default cost: unknown users are checked against it.
const std::string& HashOfNobody() {
  static const std::string kHash = "$2b$10$kuewjqBXq8oBhpxDIR9o4.XdQsLqxFsC1H/MDnRxwcWxTv1BUEBN2";
  return kHash;
}

constexpr std::chrono::seconds kVerificationDeadline{30};
constexpr size_t kQueueOfOneOrigin = 32;
constexpr size_t kCountedName = 64;  // longer names are no user's

// The same for unknown users and wrong passwords.
Error WrongCredentials() {
  return Error{ErrorCode::kUnauthorized, "the user name or the password is wrong"};
}

Error TooManyWrong(std::chrono::seconds pause) {
  return Error{.code = ErrorCode::kTooManyRequests,
               .message =
                   "too many wrong passwords came from this address or for this user; try "
                   "again in " +
                   std::to_string(pause.count()) + " s",
               .retry_after_seconds = static_cast<int>(pause.count())};
}

enum class Outcome { kPending, kRight, kWrong, kFailed };

}  // namespace

struct Authenticator::State {
  // One verification under way, and those who wait for it.
  struct Flight {
    Notifier finished;
    std::atomic<Outcome> outcome = Outcome::kPending;
    std::optional<Error> failure;  // written before `outcome` says kFailed
  };

  // What is to be verified, but for the password.
  struct Asked {
    Attempt attempt;
    std::string hash;
    bool known;  // a user has that hash
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
        refusal_delay(options.refusal_delay),
        cache(options.cache_entries, options.cache_life) {}

  // The verification of `mark`, joined or begun; nullptr if it is remembered as right. An error if
  // it may not begin.
  Result<std::shared_ptr<Flight>> Join(const std::shared_ptr<State>& self,
                                       const CredentialMark& mark, const Asked& asked,
                                       std::string_view password) {
    MutexLock lock(mutex);
    const Attempt& attempt = asked.attempt;
    const auto now = clock.SinceBoot();
    if (cache.Contains(mark, now)) return nullptr;
    if (const auto found = flights.find(mark); found != flights.end()) return found->second;
    if (const auto pause = limiter.Pause(attempt, now); pause > pause.zero()) {
      limited.Increment();
      return TooManyWrong(pause);
    }
    auto flight = std::make_shared<Flight>();
    // The work belongs to the pool: whoever began it may leave without harm to the others.
    auto verify = [self, flight, mark, asked, secret = Secret(password)] {
      auto look = [&]() -> Result<Outcome> {
        // Unknown users cost the same work, and never come in.
        const bool right = VerifyPassword(secret.text(), asked.hash) && asked.known;
        if (!right) SpendRest(secret.text(), asked.hash);
        return right ? Outcome::kRight : Outcome::kWrong;
      };
      const Result<Outcome> outcome = Guarded(look);
      if (!outcome.has_value()) flight->failure = outcome.error();
      self->Finish(mark, asked.attempt, *flight, outcome.value_or(Outcome::kFailed));
    };
    // As many turns as there is work: which work a turn runs is decided when it comes.
    const bool posted = queue.HasPlace(attempt.origin) && pool.Post([self] { self->NextTurn()(); });
    if (!posted) {
      overloaded.Increment();
      return pool.Refusal();
    }
    verifications.Increment();
    queue.Push(attempt.origin, std::move(verify));
    flights.emplace(mark, flight);
    return flight;
  }

  FairQueue::Work NextTurn() {
    MutexLock lock(mutex);
    return queue.Pop();
  }

  void Finish(const CredentialMark& mark, const Attempt& attempt, Flight& flight, Outcome outcome) {
    auto settle = [&]() -> Result<Outcome> {
      const auto now = clock.SinceBoot();
      MutexLock lock(mutex);
      if (outcome == Outcome::kWrong) limiter.Failed(attempt, now);
      if (outcome == Outcome::kRight) {
        limiter.Succeeded(attempt);
        cache.Insert(mark, now);
      }
      return outcome;
    };
    const Result<Outcome> settled = Guarded(settle);
    if (!settled.has_value()) flight.failure = settled.error();
    {
      MutexLock lock(mutex);
      flights.erase(mark);
      flight.outcome = settled.value_or(Outcome::kFailed);
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
  const std::chrono::milliseconds refusal_delay;
  const CredentialMarker marker;
  Mutex mutex;
  CredentialCache cache OUTPORT_GUARDED_BY(mutex);
  AttemptLimiter limiter OUTPORT_GUARDED_BY(mutex);
  FairQueue queue OUTPORT_GUARDED_BY(mutex){kQueueOfOneOrigin};
  // Each shared by the pool's work and by those who wait for it. As many as the pool queues.
  std::map<CredentialMark, std::shared_ptr<Flight>> flights OUTPORT_GUARDED_BY(mutex);
};

Authenticator::Authenticator(const AccessDirectory& users, BlockingPool& pool, const Clock& clock,
                             Metrics& metrics, Options options)
    : state_(std::make_shared<State>(users, pool, clock, metrics, options)) {}
Authenticator::~Authenticator() = default;

net::awaitable<Result<std::shared_ptr<const User>>> Authenticator::Authenticate(
    std::string origin, std::string_view name, std::string_view password) {
  const std::shared_ptr<State> state = state_;
  std::shared_ptr<const User> user = state->users.Find(name);
  const bool known = user != nullptr;
  const State::Asked asked{
      .attempt = {std::move(origin), std::string(name.substr(0, kCountedName))},
      .hash = known ? user->password_hash : HashOfNobody(),
      .known = known};
  const CredentialMark mark = state->marker.Mark(name, password, asked.hash);
  auto joined = state->Join(state, mark, asked, password);
  if (!joined.has_value() && joined.error().retry_after_seconds > 0) {
    net::steady_timer delay(co_await net::this_coro::executor, state->refusal_delay);
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
    co_return state->pool.Refusal();
  }
  if (outcome == Outcome::kFailed) {
    co_return Error(*flight->failure).Within("verifying a password");
  }
  if (outcome == Outcome::kWrong) {
    state->wrong.Increment();
    co_return WrongCredentials();
  }
  // As it is now: it may have gone, or have another password, since the verification began.
  user = state->users.Find(name);
  if (user == nullptr || user->password_hash != asked.hash) {
    state->wrong.Increment();
    co_return WrongCredentials();
  }
  co_return user;
}

}  // namespace outport
