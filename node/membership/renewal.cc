#include "node/membership/renewal.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <random>
#include <utility>
#include <vector>

#include "node/upstream/store_stubs.h"
#include "outport/v1/enrollment.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/rpc/status.h"
#include "registry/security/pki/pki.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr unsigned kPublicMode = 0644;
constexpr seconds kCallDeadline{10};
constexpr seconds kLeastPause{1};
constexpr std::chrono::hours kMostPause{1};
constexpr double kMostJitter = 0.05;
constexpr int kTriesPerLifetime = 60;  // retries of a failed renewal
constexpr seconds kRotationRetry{10};

double DrawJitter() {
  std::random_device source;
  return std::uniform_real_distribution<double>(0, kMostJitter)(source);
}

milliseconds Bounded(std::chrono::nanoseconds pause) {
  return std::chrono::ceil<milliseconds>(
      std::clamp<std::chrono::nanoseconds>(pause, kLeastPause, kMostPause));
}

}  // namespace

Renewal::Renewal(Parts parts)
    : parts_(std::move(parts)),
      jitter_(DrawJitter()),
      expiry_(parts_.metrics.Gauge("outport_node_identity_expiry_timestamp_seconds",
                                   "Expiry of the node's identity certificate, in Unix time.")),
      renewed_(parts_.metrics.Counter("outport_node_certificate_renewals_total",
                                      "Attempts to renew the node's certificates, by result.",
                                      {{"result", "succeeded"}})),
      renewal_failure_(
          {.log = parts_.log,
           .failed = "certificate renewal failed",
           .level = LogLevel::kWarning,
           .failures = &parts_.metrics.Counter(
               "outport_node_certificate_renewals_total",
               "Attempts to renew the node's certificates, by result.", {{"result", "failed"}})}),
      trust_write_failure_({.log = parts_.log, .failed = "trust bundle write failed"}) {}

Result<Renewal::Certificate> Renewal::Read(const std::filesystem::path& certificate) const {
  TRY(const std::string pem, ReadWholeFile(certificate));
  TRY(const pki::Description description, pki::Describe(pem));
  TRY(std::string chain, pki::IssuerChain(pem));
  return Certificate{.lifetime = {description.not_before, description.not_after},
                     .chain = std::move(chain)};
}

void Renewal::SetTrust(const v1::TrustRow& trust) {
  {
    MutexLock lock(mutex_);
    trust_ = trust;
  }
  trust_changed_.Notify();
}

Result<void> Renewal::WriteTrustBundle() const {
  std::optional<v1::TrustRow> trust;
  {
    MutexLock lock(mutex_);
    trust = trust_;
  }
  const std::filesystem::path file = parts_.pki / "authorities.crt";
  const auto present = ReadWholeFile(file);
  if (!trust.has_value() || (present.has_value() && *present == trust->authorities())) return {};
  TRY_VOID(ReplaceFile(file, trust->authorities(), kPublicMode));
  parts_.log.Info("trust bundle updated", {{"path", file.native()}});
  return {};
}

void Renewal::Record(const Certificate& identity, const Certificate& server) {
  expiry_.Set(static_cast<double>(std::chrono::system_clock::to_time_t(identity.lifetime.end)));
  MutexLock lock(mutex_);
  identity_ = identity.lifetime;
  chains_.clear();
  for (const Certificate* shown : {&identity, &server}) {
    chains_.push_back(pki::BundleHash(shown->chain));
  }
}

std::string Renewal::CurrentIssuerChain() const {
  MutexLock lock(mutex_);
  return trust_.has_value() ? trust_->chain() : std::string();
}

void Renewal::AddTo(v1::NodeMessage::Ping& ping) const {
  MutexLock lock(mutex_);
  ping.mutable_chains()->Assign(chains_.begin(), chains_.end());
}

Renewal::Time Renewal::DueAt(const Lifetime& lifetime) const {
  const std::chrono::duration<double> after = lifetime.length() * (1.0 / 3 + jitter_);
  return lifetime.begin + std::chrono::floor<seconds>(after);
}

Result<void> Renewal::Renew(bool server_too) {
  TRY(const std::string identity_key, ReadSecretFile(parts_.pki / "identity.key"));
  v1::RenewRequest request;
  TRY(*request.mutable_identity_request(), pki::CreateRequest(identity_key));
  std::string server_key;
  if (server_too) {
    TRY(server_key, ReadSecretFile(parts_.pki / "server.key"));
    TRY(*request.mutable_server_request(), pki::CreateRequest(server_key));
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::EnrollResponse answer;
  const auto store = parts_.channel->Stubs();
  const grpc::Status status = store->enrollment.Renew(&context, request, &answer);
  if (!status.ok()) return rpc::FromStatus(status, "renewing the node's certificates");
  // Never write a certificate that does not match its key.
  TRY_VOID(pki::CheckKeyPair(answer.identity_certificate(), identity_key));
  if (server_too) {
    TRY_VOID(pki::CheckKeyPair(answer.server_certificate(), server_key));
    TRY_VOID(ReplaceFile(parts_.pki / "server.crt", answer.server_certificate(), kPublicMode));
  }
  TRY_VOID(ReplaceFile(parts_.pki / "identity.crt", answer.identity_certificate(), kPublicMode));
  parts_.renewed();
  return {};
}

// During a CA rotation the fleet waits for this node, so retry soon. Back off while the store
// issues certificates that are still due for renewal.
milliseconds Renewal::RetryAfter(const Lifetime& lifetime) const {
  const auto usual = lifetime.length() / kTriesPerLifetime;
  MutexLock lock(mutex_);
  if (!trust_.has_value()) return Bounded(usual);
  return Bounded(std::min<seconds>(usual, kRotationRetry * (1 << std::min(fruitless_, 10))));
}

milliseconds Renewal::Check() {
  const Result<void> written = WriteTrustBundle();
  const Result<Certificate> identity = Read(parts_.pki / "identity.crt");
  const Result<Certificate> server = Read(parts_.pki / "server.crt");
  if (!identity.has_value() || !server.has_value()) {
    const Error& error = identity.has_value() ? server.error() : identity.error();
    parts_.log.Error("node certificates unreadable", {{"error", error.message}});
    return Bounded(kMostPause);
  }
  trust_write_failure_.Record(written);
  Record(*identity, *server);
  if (!written.has_value()) return RetryAfter(identity->lifetime);
  const Due due = FindDue(*identity, *server);
  if (due.any) return RenewDue(due, identity->lifetime);
  fruitless_ = 0;
  renewed_at_.reset();
  return Bounded(std::min(DueAt(identity->lifetime), DueAt(server->lifetime)) -
                 parts_.clock.Wall());
}

Renewal::Due Renewal::FindDue(const Certificate& identity, const Certificate& server) const {
  const std::string issuer = CurrentIssuerChain();
  const auto outdated = [&issuer](const Certificate& one) {
    return !issuer.empty() && one.chain != issuer;
  };
  const Time now = parts_.clock.Wall();
  Due due;
  due.new_issuer = outdated(identity) || outdated(server);
  due.server = DueAt(server.lifetime) <= now || outdated(server);
  due.any = DueAt(identity.lifetime) <= now || due.new_issuer || due.server;
  return due;
}

milliseconds Renewal::RenewDue(const Due& due, const Lifetime& identity) {
  const milliseconds retry = RetryAfter(identity);
  if (renewed_at_.has_value() && steady_clock::now() < *renewed_at_ + retry) {
    RecordFailure(identity, due.new_issuer
                                ? "the new certificate does not chain to the issuing CA that the "
                                  "store announced"
                                : "the new certificate is already due for renewal by this "
                                  "machine's clock, " +
                                      FormatTime(parts_.clock.Wall()) + "; set the clock");
    return Bounded(*renewed_at_ + retry - steady_clock::now());
  }
  if (renewed_at_.has_value()) ++fruitless_;
  const Result<void> renewed = Renew(due.server);
  if (!renewed.has_value()) {
    RecordFailure(identity, renewed.error().message);
    return retry;
  }
  renewed_at_ = steady_clock::now();
  renewal_failure_.Record({});
  renewed_.Increment();
  parts_.log.Info("node certificates renewed", {{"server_certificate", due.server}});
  return Bounded(kLeastPause);  // the next check inspects the new certificates
}

void Renewal::RecordFailure(const Lifetime& identity, const std::string& why) {
  renewal_failure_.Record(Error{ErrorCode::kUnavailable, why},
                          {{"not_after", FormatTime(identity.end)}});
}

net::awaitable<void> Renewal::FollowUntilCancelled() {
  co_await net::this_coro::throw_if_cancelled(false);
  for (;;) {
    const uint64_t seen = trust_changed_.Version();
    auto check = [this]() -> Result<milliseconds> { return Check(); };
    const Result<milliseconds> pause = co_await Blocking(parts_.pool, std::move(check));
    auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
    co_await trust_changed_.WaitPast(seen, steady_clock::now() + pause.value_or(kLeastPause));
    state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
  }
}

std::optional<std::string> Renewal::WhyExpired() const {
  MutexLock lock(mutex_);
  if (!identity_.has_value() || parts_.clock.Wall() < identity_->end) return std::nullopt;
  return "this node's certificate expired at " + FormatTime(identity_->end) +
         " and the store rejects its calls; run 'outportctl node invite " + parts_.node +
         " --replace', then 'outport-node join --replace' here";
}

std::optional<std::string> Renewal::Warning() const {
  if (const auto unwritten = trust_write_failure_.Reason()) {
    return "the new trust bundle could not be written, so this node still uses the previous one: " +
           *unwritten;
  }
  const auto failure = renewal_failure_.Reason();
  MutexLock lock(mutex_);
  if (!failure.has_value() || !identity_.has_value()) return std::nullopt;
  return "this node's certificate expires at " + FormatTime(identity_->end) +
         " and could not be renewed: " + *failure;
}

}  // namespace outport::node
