#include "node/replica/sync_client.h"

#include "node/upstream/store_stubs.h"

#include <grpcpp/impl/codegen/client_context.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "registry/rpc/status.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLongestBackoff{3000};
// After a stream that has lived this long, the next stream starts without backoff.
constexpr std::chrono::seconds kSettled{10};
// The shortest time between the starts of two streams if the store asks the node to reconnect.
constexpr milliseconds kReconnectAfter{200};
constexpr std::chrono::seconds kMeasureInterval{1};
constexpr std::chrono::minutes kSweepInterval{60};
// The pause between two steps of the search for unlinked copies, which may scan many links.
constexpr milliseconds kStepPause{10};

}  // namespace

SyncClient::SyncClient(Parts parts)
    : parts_(std::move(parts)), metrics_(parts_.metrics), random_(std::random_device()()) {
  const v1::Position applied = parts_.replica.position();
  parts_.freshness.RecordApplied(applied.epoch(), applied.sequence());
  metrics_.applied_sequence.Set(static_cast<double>(applied.sequence()));
}

void SyncClient::Start() {
  parts_.tasks.Spawn([this] { return Run(); });
  parts_.tasks.Spawn([this] { return CollectGarbage(); });
  parts_.tasks.Spawn([this] { return UpdateMetrics(); });
}

void SyncClient::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (connection_ != nullptr) connection_->Cancel();
  }
  stopped_.Notify();
  parts_.replica.GarbageLeft().Notify();
}

void SyncClient::Reconnect() {
  MutexLock lock(mutex_);
  if (connection_ != nullptr) connection_->Cancel();
}

bool SyncClient::IsStopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

std::optional<std::string> SyncClient::WhyDenied() const {
  MutexLock lock(mutex_);
  return denied_;
}

std::optional<std::string> SyncClient::WhyClosed() const {
  MutexLock lock(mutex_);
  return closed_;
}

bool SyncClient::IsConnected() const {
  MutexLock lock(mutex_);
  return connection_ != nullptr && connection_->IsAlive();
}

net::awaitable<void> SyncClient::Run() {
  while (!IsStopping()) {
    std::optional<milliseconds> pause;
    try {
      pause = co_await RunOnce();
    } catch (const std::exception& exception) {
      ++failures_;
      parts_.log.Error("replication failed with an exception", {{"error", exception.what()}});
    }
    const uint64_t seen = stopped_.Version();
    if (IsStopping()) break;
    co_await stopped_.WaitPast(seen, steady_clock::now() + pause.value_or(Backoff()));
  }
}

net::awaitable<std::optional<milliseconds>> SyncClient::RunOnce() {
  // Reset the channel's backoff, because this client has its own.
  grpc::experimental::ChannelResetConnectionBackoff(parts_.channel->Stubs()->channel.get());
  metrics_.connections.Increment();
  SyncConnection::Parts parts{.channel = parts_.channel,
                              .replica = parts_.replica,
                              .freshness = parts_.freshness,
                              .pool = parts_.pool,
                              .clock = parts_.clock,
                              .metrics = metrics_,
                              .log = parts_.log,
                              .version = parts_.version,
                              .add_status = parts_.add_status,
                              .on_epoch = parts_.on_epoch,
                              .on_trust = parts_.on_trust,
                              .on_tombstones = parts_.on_tombstones};
  auto connection = std::make_shared<SyncConnection>(std::move(parts), want_snapshot_);
  {
    MutexLock lock(mutex_);
    connection_ = connection;
    if (stopping_) connection->Cancel();
  }
  const auto begun = steady_clock::now();
  const Error why = co_await connection->Run();
  RecordEnd(why, connection->welcomed());
  co_await WriteProof();
  if (connection->applied_snapshot()) want_snapshot_ = false;
  // A stream that only got a Welcome is no success: the failure that ended it may end the next
  // stream, too.
  const bool settled = connection->welcomed() && steady_clock::now() >= begun + kSettled;
  if (settled) failures_ = 0;
  // The store ended the stream because the node's permissions or its certificate have changed. That
  // is no failure.
  if (connection->welcomed() && why.code == ErrorCode::kCancelled && !IsStopping()) {
    parts_.log.Info("sync stream restarted", {{"error", why.message}});
    const auto lived = steady_clock::now() - begun;
    co_return std::chrono::ceil<milliseconds>(std::max(kReconnectAfter - lived, lived.zero()));
  }
  if (!settled) ++failures_;
  if (why.code == ErrorCode::kCorrupt) {
    want_snapshot_ = true;
    metrics_.divergences.Increment();
  }
  // Log only the failures 1, 2, 4, 8, and so on.
  const bool log_this = std::has_single_bit(static_cast<unsigned>(failures_)) || failures_ == 0;
  if (log_this && !IsStopping()) {
    parts_.log.Warning("replication interrupted",
                       {{"error", why.message}, {"attempts", failures_}});
  }
  co_return std::nullopt;
}

void SyncClient::RecordEnd(const Error& why, bool welcomed) {
  MutexLock lock(mutex_);
  connection_ = nullptr;
  closed_.reset();
  if (why.message.contains(rpc::kClosedInHandshake)) closed_ = why.message;
  const bool denied = why.code == ErrorCode::kDenied || why.code == ErrorCode::kUnauthorized;
  if (denied) {
    denied_ = why.message;
  } else if (welcomed) {
    denied_.reset();
  }
}

// Writes the time of the last proof of freshness. With that time, a node that starts while the
// store is unreachable knows its staleness.
net::awaitable<void> SyncClient::WriteProof() {
  const int64_t proven_ms = parts_.freshness.ProvenMillis();
  if (proven_ms == 0) co_return;
  auto keep = [&replica = parts_.replica, proven_ms] { return replica.RecordProof(proven_ms); };
  const Result<void> kept = co_await Blocking(parts_.pool, std::move(keep));
  if (!kept.has_value()) {
    parts_.log.Warning("proof of freshness not written", {{"error", kept.error().message}});
  }
}

milliseconds SyncClient::Backoff() {
  const milliseconds most =
      std::min(kLongestBackoff, kFirstBackoff * (1 << std::min(failures_, 8)));
  std::uniform_int_distribution<int64_t> jitter(0, most.count());
  return milliseconds(jitter(random_));
}

net::awaitable<void> SyncClient::CollectGarbage() {
  for (;;) {
    const uint64_t seen = parts_.replica.GarbageLeft().Version();
    co_await RemoveGarbage();
    co_await RemoveContents();
    co_await DropCopies();
    if (IsStopping()) break;
    co_await parts_.replica.GarbageLeft().WaitPast(seen, steady_clock::now() + kSweepInterval);
  }
}

// Runs in steps on the pool's only thread, so that the thread can apply batches between two steps.
net::awaitable<void> SyncClient::RemoveGarbage() {
  auto remove = [&replica = parts_.replica] { return replica.RemoveGarbage(); };
  while (!IsStopping()) {
    const Result<bool> more = co_await Blocking(parts_.pool, remove);
    if (!more.has_value()) {
      parts_.log.Warning("rows of an old generation not removed",
                         {{"error", more.error().message}});
    }
    if (!more.value_or(false)) break;
  }
}

net::awaitable<bool> SyncClient::WaitForNewProof() {
  const auto since = parts_.clock.SinceBoot();
  for (;;) {
    const uint64_t seen = stopped_.Version();
    if (IsStopping()) co_return false;
    const auto age = parts_.freshness.Staleness();
    if (age.has_value() && parts_.clock.SinceBoot() - *age >= since) co_return true;
    co_await stopped_.WaitPast(seen, steady_clock::now() + kMeasureInterval);
  }
}

// Removes nothing while the store is unreachable, because the node could not fetch the removed
// bytes again.
net::awaitable<void> SyncClient::RemoveContents() {
  auto collect = [&replica = parts_.replica] { return replica.CollectContents(); };
  auto remove = [&replica = parts_.replica] { return replica.RemoveContents(); };
  Result<bool> more = co_await Blocking(parts_.pool, collect);
  while (more.value_or(false)) {
    if (!co_await WaitForNewProof()) co_return;
    while (more.value_or(false)) {
      if (IsStopping()) co_return;
      more = co_await Blocking(parts_.pool, remove);
    }
    if (more.has_value()) more = co_await Blocking(parts_.pool, collect);
  }
  if (!more.has_value()) {
    parts_.log.Warning("unreferenced manifests not removed", {{"error", more.error().message}});
  }
}

// Drops nothing while the store is unreachable: see RemoveContents().
net::awaitable<void> SyncClient::DropCopies() {
  if (parts_.drop_copies == nullptr) co_return;
  auto collect = [&replica = parts_.replica] { return replica.CollectCopies(); };
  Result<bool> more = co_await Blocking(parts_.pool, collect);
  while (more.value_or(false)) {
    if (!co_await WaitForNewProof()) co_return;
    const Result<void> dropped = co_await DropUnlinked();
    if (IsStopping()) co_return;
    more = dropped.has_value() ? co_await Blocking(parts_.pool, collect) : dropped.error();
  }
  if (!more.has_value()) {
    parts_.log.Warning("unlinked blob copies not dropped", {{"error", more.error().message}});
  }
}

net::awaitable<Result<void>> SyncClient::DropUnlinked() {
  auto find = [&replica = parts_.replica] { return replica.FindUnlinked(); };
  while (!IsStopping()) {
    const uint64_t seen = stopped_.Version();
    CO_TRY(std::optional<std::vector<CopyName>> copies, co_await Blocking(parts_.pool, find));
    if (!copies.has_value()) break;
    // A link may arrive before the copy is dropped. Then the node fetches the blob once more.
    if (!copies->empty()) CO_TRY_VOID(co_await parts_.drop_copies(*std::move(copies)));
    co_await stopped_.WaitPast(seen, steady_clock::now() + kStepPause);
  }
  co_return Result<void>();
}

net::awaitable<void> SyncClient::UpdateMetrics() {
  for (;;) {
    const uint64_t seen = stopped_.Version();
    const auto age = parts_.freshness.Staleness();
    metrics_.staleness_seconds.Set(age.has_value() ? std::chrono::duration<double>(*age).count()
                                                   : -1);
    metrics_.connected.Set(IsConnected() ? 1 : 0);
    if (IsStopping()) break;
    co_await stopped_.WaitPast(seen, steady_clock::now() + kMeasureInterval);
  }
}

}  // namespace outport::node
