#include "registry/security/authenticator.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/security/base64.h"
#include "registry/security/credential_cache.h"
#include "registry/security/password.h"

namespace outport {
namespace {

// A hash of nobody's, at the default cost: unknown users are checked against it.
const std::string& HashOfNobody() {
  static const std::string kHash = "$2b$10$kuewjqBXq8oBhpxDIR9o4.XdQsLqxFsC1H/MDnRxwcWxTv1BUEBN2";
  return kHash;
}

constexpr std::chrono::seconds kVerificationDeadline{30};
constexpr size_t kMaxCredentialBytes = 4096;

// The same for unknown users and wrong passwords.
Error WrongCredentials() {
  return Error{ErrorCode::kUnauthorized, "the user name or the password is wrong"};
}

// A password, wiped when nobody needs it.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

enum class Outcome { kPending, kRight, kWrong, kRefused, kFailed };

}  // namespace

struct Authenticator::State {
  // One verification under way, and those who wait for it.
  struct Flight {
    Notifier finished;
    std::atomic<Outcome> outcome = Outcome::kPending;
    std::optional<Error> failure;  // written before `outcome` says kFailed
  };

  State(const AccessDirectory& users_in, BlockingPool& pool_in, const Clock& clock_in,
        Metrics& metrics, const Options& options)
      : users(users_in),
        pool(pool_in),
        clock(clock_in),
        hits(metrics.Counter("outport_credentials_remembered_total",
                             "Passwords that were found among those verified lately.")),
        verifications(metrics.Counter("outport_credential_verifications_total",
                                      "Passwords that were verified by bcrypt.")),
        wrong(metrics.Counter("outport_credentials_refused_total", "Credentials that were refused.",
                              {{"reason", "wrong"}})),
        overloaded(metrics.Counter("outport_credentials_refused_total",
                                   "Credentials that were refused.", {{"reason", "overload"}})),
        cache(options.cache_entries, options.cache_life) {}

  // The verification of `mark`, joined or new; nullptr if it is remembered as right.
  std::shared_ptr<Flight> Find(const CredentialMark& mark, bool& is_new) {
    MutexLock lock(mutex);
    if (cache.Contains(mark, clock.SinceBoot())) return nullptr;
    auto& flight = flights[mark];
    is_new = flight == nullptr;
    if (is_new) flight = std::make_shared<Flight>();
    return flight;
  }

  void Remember(const CredentialMark& mark) {
    MutexLock lock(mutex);
    cache.Insert(mark, clock.SinceBoot());
  }

  void Finish(const CredentialMark& mark, Flight& flight, Outcome outcome) {
    {
      MutexLock lock(mutex);
      flights.erase(mark);
      flight.outcome = outcome;
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
  const CredentialMarker marker;
  Mutex mutex;
  CredentialCache cache OUTPORT_GUARDED_BY(mutex);
  // Each shared by the pool's work and by those who wait for it. As many as the pool queues.
  std::map<CredentialMark, std::shared_ptr<Flight>> flights OUTPORT_GUARDED_BY(mutex);
};

Authenticator::Authenticator(const AccessDirectory& users, BlockingPool& pool, const Clock& clock,
                             Metrics& metrics, Options options)
    : state_(std::make_shared<State>(users, pool, clock, metrics, options)) {}
Authenticator::~Authenticator() = default;

net::awaitable<Result<std::shared_ptr<const User>>> Authenticator::Authenticate(
    std::string name, std::string password) {
  const std::shared_ptr<State> state = state_;
  const auto secret = std::make_shared<const Secret>(std::move(password));
  std::shared_ptr<const User> user = state->users.Find(name);
  const bool known = user != nullptr;
  const std::string hash = known ? user->password_hash : HashOfNobody();
  const CredentialMark mark = state->marker.Mark(name, secret->text(), hash);
  bool is_new = false;
  const std::shared_ptr<State::Flight> flight = state->Find(mark, is_new);
  if (flight == nullptr) {
    state->hits.Increment();
    co_return user;
  }
  if (is_new) {
    state->verifications.Increment();
    auto verify = [state, flight, mark, secret, hash, known] {
      auto look = [&]() -> Result<Outcome> {
        const bool right = VerifyPassword(secret->text(), hash) && known;
        if (right) state->Remember(mark);
        return right ? Outcome::kRight : Outcome::kWrong;
      };
      const Result<Outcome> outcome = Guarded(look);
      if (!outcome.has_value()) flight->failure = outcome.error();
      state->Finish(mark, *flight, outcome.value_or(Outcome::kFailed));
    };
    // The work belongs to the pool: whoever began it may leave without harm to the others.
    if (!state->pool.Post(std::move(verify))) state->Finish(mark, *flight, Outcome::kRefused);
  }
  const auto deadline = std::chrono::steady_clock::now() + kVerificationDeadline;
  for (;;) {
    const uint64_t seen = flight->finished.Version();
    if (flight->outcome != Outcome::kPending) break;
    if (!co_await flight->finished.WaitPast(seen, deadline)) break;
  }
  const Outcome outcome = flight->outcome;
  if (outcome == Outcome::kWrong) {
    state->wrong.Increment();
    co_return WrongCredentials();
  }
  if (outcome == Outcome::kFailed) {
    co_return Error(*flight->failure).Within("verifying a password");
  }
  if (outcome != Outcome::kRight) {
    state->overloaded.Increment();
    co_return state->pool.Refusal();
  }
  // As it is now: it may have gone, or have another password, since the verification began.
  user = state->users.Find(name);
  if (user == nullptr || user->password_hash != hash) {
    state->wrong.Increment();
    co_return WrongCredentials();
  }
  co_return user;
}

bool NamesNobody(std::string_view header) {
  return header.empty() || header == "Basic Og==" || header == "basic Og==";
}

Result<Credentials> ParseBasicAuthorization(std::string_view header) {
  const Error refused{ErrorCode::kUnauthorized,
                      "a user name and a password are needed (HTTP Basic authentication)"};
  constexpr std::string_view kScheme = "basic ";
  if (header.size() <= kScheme.size() || header.size() > kMaxCredentialBytes) return refused;
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  if (!std::ranges::equal(header.substr(0, kScheme.size()), kScheme, same)) return refused;
  header.remove_prefix(std::min(header.find_first_not_of(' ', kScheme.size()), header.size()));
  auto decoded = DecodeBase64(header, Base64::kStandard);
  if (!decoded.has_value()) return refused;
  const Secret text(std::move(*decoded));
  const size_t colon = text.text().find(':');
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (colon == std::string::npos || colon == 0 || std::ranges::any_of(text.text(), control)) {
    return refused;
  }
  return Credentials{text.text().substr(0, colon), text.text().substr(colon + 1)};
}

}  // namespace outport
