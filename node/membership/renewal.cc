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
constexpr int kTriesInALife = 60;  // while renewals fail
constexpr seconds kReplacedRetry{10};

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
      failed_(parts_.metrics.Counter("outport_node_certificate_renewals_total",
                                     "Attempts to renew the node's certificates, by result.",
                                     {{"result", "failed"}})) {}

Result<Renewal::Certificate> Renewal::Read(const std::filesystem::path& certificate) const {
  TRY(const std::string pem, ReadWholeFile(certificate));
  TRY(const pki::Description description, pki::Describe(pem));
  TRY(std::string chain, pki::Behind(pem));
  return Certificate{.life = {description.not_before, description.not_after},
                     .chain = std::move(chain)};
}

void Renewal::Take(const v1::TrustRow& trust) {
  {
    MutexLock lock(mutex_);
    trust_ = trust;
  }
  taken_.Notify();
}

Result<void> Renewal::WriteTrust() const {
  std::optional<v1::TrustRow> trust;
  {
    MutexLock lock(mutex_);
    trust = trust_;
  }
  const std::filesystem::path file = parts_.pki / "authorities.crt";
  const auto present = ReadWholeFile(file);
  if (!trust.has_value() || (present.has_value() && *present == trust->authorities())) return {};
  TRY_VOID(ReplaceFile(file, trust->authorities(), kPublicMode));
  parts_.log.Info("the fleet trusts other authorities now", {{"file", file.native()}});
  return {};
}

void Renewal::Learn(const Certificate& identity, const Certificate& server) {
  MutexLock lock(mutex_);
  identity_ = identity.life;
  chains_.clear();
  for (const Certificate* shown : {&identity, &server}) {
    chains_.push_back(pki::BundleHash(shown->chain));
  }
}

void Renewal::Tell(v1::NodeMessage::Ping& ping) const {
  MutexLock lock(mutex_);
  ping.mutable_chains()->Assign(chains_.begin(), chains_.end());
}

Renewal::Time Renewal::DueOf(const Life& life) const {
  const std::chrono::duration<double> after = life.whole() * (1.0 / 3 + jitter_);
  return life.begin + std::chrono::floor<seconds>(after);
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
  const auto store = parts_.channel->Now();
  const grpc::Status status = store->enrollment.Renew(&context, request, &answer);
  if (!status.ok()) return rpc::FromStatus(status, "renewing the node's certificates");
  // What does not fit stays out of the files.
  TRY_VOID(pki::CheckKeyPair(answer.identity_certificate(), identity_key));
  if (server_too) {
    TRY_VOID(pki::CheckKeyPair(answer.server_certificate(), server_key));
    TRY_VOID(ReplaceFile(parts_.pki / "server.crt", answer.server_certificate(), kPublicMode));
  }
  TRY_VOID(ReplaceFile(parts_.pki / "identity.crt", answer.identity_certificate(), kPublicMode));
  parts_.renewed();
  return {};
}

// Sooner than the end asks for where others wait for it: authorities are being replaced. Ever later
// where what comes is not what was wanted.
milliseconds Renewal::RetryAfter(const Life& life) const {
  const auto usual = life.whole() / kTriesInALife;
  MutexLock lock(mutex_);
  if (!trust_.has_value()) return Bounded(usual);
  return Bounded(std::min<seconds>(usual, kReplacedRetry * (1 << std::min(in_vain_, 10))));
}

milliseconds Renewal::Look() {
  const Result<void> written = WriteTrust();
  const Result<Certificate> identity = Read(parts_.pki / "identity.crt");
  const Result<Certificate> server = Read(parts_.pki / "server.crt");
  if (!identity.has_value() || !server.has_value()) {
    const Error& why = identity.has_value() ? server.error() : identity.error();
    parts_.log.Error("the node's certificates cannot be read", {{"cause", why.message}});
    return Bounded(kMostPause);
  }
  expiry_.Set(static_cast<double>(std::chrono::system_clock::to_time_t(identity->life.end)));
  Learn(*identity, *server);
  std::string chain;
  {
    MutexLock lock(mutex_);
    unwritten_ = written.has_value() ? std::string() : written.error().message;
    if (trust_.has_value()) chain = trust_->chain();
  }
  const milliseconds retry = RetryAfter(identity->life);
  if (!written.has_value()) {
    parts_.log.Error("whom the fleet trusts now was not written",
                     {{"cause", written.error().message}});
    return retry;
  }
  const Time now = parts_.clock.Wall();
  const auto replaced = [&chain](const Certificate& one) {
    return !chain.empty() && one.chain != chain;
  };
  const bool other = replaced(*identity) || replaced(*server);
  const bool server_due = DueOf(server->life) <= now || replaced(*server);
  if (DueOf(identity->life) > now && !other && !server_due) {
    in_vain_ = 0;
    renewed_at_.reset();
    return Bounded(std::min(DueOf(identity->life), DueOf(server->life)) - now);
  }
  if (renewed_at_.has_value() && steady_clock::now() < *renewed_at_ + retry) {
    Failed(other ? "what the store issued just now chains to another authority than it said"
                 : "what the store issued just now is old already by this machine's clock, " +
                       FormatTime(now) + ": set the clock",
           identity->life);
    return Bounded(*renewed_at_ + retry - steady_clock::now());
  }
  if (renewed_at_.has_value()) ++in_vain_;
  const Result<void> done = Renew(server_due);
  if (!done.has_value()) {
    Failed(done.error().message, identity->life);
    return retry;
  }
  renewed_at_ = steady_clock::now();
  {
    MutexLock lock(mutex_);
    failure_.clear();
  }
  renewed_.Increment();
  parts_.log.Info("the node's certificates are renewed", {{"server_too", server_due}});
  return Bounded(kLeastPause);  // then it looks at what came
}

void Renewal::Failed(const std::string& why, const Life& identity) {
  {
    MutexLock lock(mutex_);
    failure_ = why;
  }
  failed_.Increment();
  parts_.log.Warning("the node's certificates could not be renewed",
                     {{"cause", why}, {"not_after", FormatTime(identity.end)}});
}

net::awaitable<void> Renewal::FollowUntilCancelled() {
  co_await net::this_coro::throw_if_cancelled(false);
  for (;;) {
    const uint64_t seen = taken_.Version();
    auto look = [this]() -> Result<milliseconds> { return Look(); };
    const Result<milliseconds> pause = co_await Blocking(parts_.pool, std::move(look));
    auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
    co_await taken_.WaitPast(seen, steady_clock::now() + pause.value_or(kLeastPause));
    state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
  }
}

std::optional<std::string> Renewal::WhyUseless() const {
  MutexLock lock(mutex_);
  if (!identity_.has_value() || parts_.clock.Wall() < identity_->end) return std::nullopt;
  return "this node's certificate expired at " + FormatTime(identity_->end) +
         ", so the store takes no call of it: ask for 'outportctl node invite " + parts_.node +
         " --replace', and join again with 'outport-node join --replace'";
}

std::optional<std::string> Renewal::Warning() const {
  MutexLock lock(mutex_);
  if (!unwritten_.empty()) {
    return "whom the fleet trusts now could not be written, so this node trusts others: " +
           unwritten_;
  }
  if (failure_.empty() || !identity_.has_value()) return std::nullopt;
  return "this node's certificate expires at " + FormatTime(identity_->end) +
         " and could not be renewed: " + failure_;
}

}  // namespace outport::node
