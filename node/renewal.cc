#include "node/renewal.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <random>
#include <utility>

#include "outport/v1/enrollment.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/rpc/status.h"
#include "registry/security/pki.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kPublicMode = 0644;
constexpr seconds kCallDeadline{10};
constexpr seconds kLeastPause{1};
constexpr std::chrono::hours kMostPause{1};
constexpr double kMostJitter = 0.05;
constexpr int kTriesInALife = 60;  // while renewals fail

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
      expiry_(parts_.metrics.Gauge("outport_node_identity_not_after_seconds",
                                   "When the node's own certificate expires, in Unix time.")),
      renewed_(parts_.metrics.Counter("outport_node_renewals_total",
                                      "Renewals of the node's certificates.",
                                      {{"result", "renewed"}})),
      failed_(parts_.metrics.Counter("outport_node_renewals_total",
                                     "Renewals of the node's certificates.",
                                     {{"result", "failed"}})) {}

Result<Renewal::Life> Renewal::Read(const std::filesystem::path& certificate) const {
  TRY(const std::string pem, ReadWholeFile(certificate));
  TRY(const pki::Description description, pki::Describe(pem));
  return Life{description.not_before, description.not_after};
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
  const auto stub = v1::Enrollment::NewStub(parts_.channel);
  const grpc::Status status = stub->Renew(&context, request, &answer);
  if (!status.ok()) return rpc::FromStatus(status, "renewing the node's certificates");
  // What does not fit stays out of the files.
  TRY_VOID(pki::CheckKeyPair(answer.identity_certificate(), identity_key));
  if (server_too) {
    TRY_VOID(pki::CheckKeyPair(answer.server_certificate(), server_key));
    TRY_VOID(ReplaceFile(parts_.pki / "server.crt", answer.server_certificate(), kPublicMode));
  }
  return ReplaceFile(parts_.pki / "identity.crt", answer.identity_certificate(), kPublicMode);
}

milliseconds Renewal::Look() {
  const Result<Life> identity = Read(parts_.pki / "identity.crt");
  const Result<Life> server = Read(parts_.pki / "server.crt");
  if (!identity.has_value() || !server.has_value()) {
    const Error& why = identity.has_value() ? server.error() : identity.error();
    parts_.log.Error("the node's certificates cannot be read", {{"cause", why.message}});
    return Bounded(kMostPause);
  }
  expiry_.Set(static_cast<double>(std::chrono::system_clock::to_time_t(identity->end)));
  {
    MutexLock lock(mutex_);
    identity_ = *identity;
  }
  const Time now = parts_.clock.Wall();
  const bool server_due = DueOf(*server) <= now;
  if (DueOf(*identity) > now && !server_due) {
    return Bounded(std::min(DueOf(*identity), DueOf(*server)) - now);
  }
  const Result<void> done = Renew(server_due);
  {
    MutexLock lock(mutex_);
    failure_ = done.has_value() ? std::string() : done.error().message;
  }
  if (done.has_value()) {
    renewed_.Increment();
    parts_.log.Info("the node's certificates are renewed", {{"server_too", server_due}});
    return Bounded(kLeastPause);  // then it looks at what came
  }
  failed_.Increment();
  parts_.log.Warning("the node's certificates could not be renewed",
                     {{"cause", done.error().message}, {"not_after", FormatTime(identity->end)}});
  return Bounded(identity->whole() / kTriesInALife);
}

net::awaitable<void> Renewal::FollowUntilCancelled() {
  co_await net::this_coro::throw_if_cancelled(false);
  net::steady_timer timer(co_await net::this_coro::executor);
  for (;;) {
    auto look = [this]() -> Result<milliseconds> { return Look(); };
    const Result<milliseconds> pause = co_await Blocking(parts_.pool, std::move(look));
    const auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
    timer.expires_after(pause.value_or(kLeastPause));
    const auto [failure] = co_await timer.async_wait(net::as_tuple(net::use_awaitable));
    if (failure) co_return;
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
  if (failure_.empty() || !identity_.has_value()) return std::nullopt;
  return "this node's certificate expires at " + FormatTime(identity_->end) +
         " and could not be renewed: " + failure_;
}

}  // namespace outport::node
