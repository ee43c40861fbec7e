#include "node/replica/sync_connection.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "node/upstream/store_stubs.h"
#include "registry/records/access_records.h"

namespace outport::node {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPingInterval{500};
constexpr std::chrono::seconds kSilence{3};          // the store sends two pongs a second
constexpr std::chrono::seconds kWelcomeSilence{10};  // includes the time to connect
constexpr std::chrono::seconds kWhileBusy{60};
constexpr std::chrono::seconds kProofInterval{5};

Error Diverged() {
  return Error{ErrorCode::kCorrupt,
               "the replica has diverged from the store: the hashes differ at the same sequence; "
               "the node requests a snapshot"};
}

}  // namespace

SyncMetrics::SyncMetrics(Metrics& metrics)
    : applied_sequence(
          metrics.Gauge("outport_node_applied_sequence", "Sequence of the last applied change.")),
      connected(metrics.Gauge("outport_node_sync_connected",
                              "1 while the sync stream from the store is connected.")),
      staleness_seconds(metrics.Gauge("outport_node_staleness_seconds",
                                      "Upper bound of the replica's age; -1 if unknown.")),
      connections(metrics.Counter("outport_node_sync_attempts_total",
                                  "Attempts to connect a sync stream to the store.")),
      snapshots(metrics.Counter("outport_node_snapshots_applied_total", "Snapshots applied.")),
      divergences(metrics.Counter("outport_node_replica_divergences_total",
                                  "Times the replica's history diverged from the store's.")) {}

SyncConnection::SyncConnection(Parts parts, bool want_snapshot)
    : parts_(std::move(parts)),
      want_snapshot_(want_snapshot),
      store_(parts_.channel->Stubs()),
      stream_([this](grpc::ClientContext* context, auto* reactor) {
        store_->replication.async()->Sync(context, reactor);
      }) {}

net::awaitable<Error> SyncConnection::Run() {
  using net::experimental::awaitable_operators::operator&&;
  last_heard_ = steady_clock::now();
  proof_written_ = last_heard_ - kProofInterval;  // write the first proof at once
  co_await (RunPart(Read()) && RunPart(Write()) && RunPart(Watch()));
  const grpc::Status status = co_await stream_.Close();
  if (failure_.has_value()) co_return *failure_;
  if (status.ok()) {
    co_return Error{ErrorCode::kUnavailable, "the store closed the sync stream; reconnecting"};
  }
  co_return rpc::FromStatus(status, "reading the store's change log");
}

void SyncConnection::Cancel() { stream_.Cancel(); }

net::awaitable<void> SyncConnection::RunPart(net::awaitable<Result<void>> work) {
  std::optional<Error> why;
  try {
    Result<void> done = co_await std::move(work);
    if (!done.has_value()) why = std::move(done).error();
  } catch (const std::exception& exception) {
    why = Error{ErrorCode::kInternal,
                "the sync stream failed with an exception: " + std::string(exception.what())};
  }
  Close(std::move(why));
}

void SyncConnection::Close(std::optional<Error> why) {
  if (closed_) return;
  closed_ = true;
  alive_ = false;
  // With a reason of its own, the node ends the stream. Otherwise the store has ended the stream,
  // and the status has the reason.
  if (why.has_value()) stream_.Cancel();
  failure_ = std::move(why);
  changed_.Notify();
}

net::awaitable<Result<void>> SyncConnection::Read() {
  while (!closed_) {
    v1::StoreMessage message;
    if (!co_await stream_.Read(message)) break;
    busy_ = true;
    const Result<void> taken = co_await Handle(std::move(message));
    busy_ = false;
    last_heard_ = steady_clock::now();
    CO_TRY_VOID(taken);
  }
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncConnection::Handle(v1::StoreMessage message) {
  switch (message.kind_case()) {
    case v1::StoreMessage::kWelcome:
      co_return co_await HandleWelcome(std::move(*message.mutable_welcome()));
    case v1::StoreMessage::kBatch:
      co_return co_await HandleBatch(std::move(*message.mutable_batch()));
    case v1::StoreMessage::kSnapshot:
      co_return co_await HandleSnapshot(std::move(*message.mutable_snapshot()));
    case v1::StoreMessage::kPong:
      co_return co_await HandlePong(std::move(*message.mutable_pong()));
    case v1::StoreMessage::kPendingAccess:
      co_return co_await HandlePending(std::move(*message.mutable_pending_access()));
    case v1::StoreMessage::KIND_NOT_SET:
      break;
  }
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncConnection::HandleWelcome(v1::StoreMessage::Welcome welcome) {
  parts_.log.Info("connected to the store",
                  {{"head", welcome.head().sequence()},
                   {"applied", parts_.replica.position().sequence()},
                   {"snapshot", welcome.snapshot_follows()},
                   {"permissions", ToString(ToGrants(welcome.permissions()))}});
  parts_.on_epoch(welcome.head().epoch());
  // An unfinished snapshot of an earlier stream cannot continue on this stream, so abandon it.
  auto set = [&replica = parts_.replica, welcome] {
    replica.AbandonSnapshot();
    return replica.SetTerms(welcome);
  };
  CO_TRY_VOID(co_await Blocking(parts_.pool, std::move(set)));
  in_snapshot_ = welcome.snapshot_follows();
  // The store may have restarted and lost what this node reported, so report the applied sequence
  // again.
  if (!in_snapshot_) to_acknowledge_ = parts_.replica.position().sequence();
  welcomed_ = true;
  alive_ = true;
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncConnection::HandlePending(
    v1::StoreMessage::PendingAccess pending) {
  auto set = [&replica = parts_.replica, pending = std::move(pending)]() -> Result<void> {
    replica.SetPending(pending);
    return {};
  };
  co_return co_await Blocking(parts_.pool, std::move(set));
}

void SyncConnection::ForwardTrust(const v1::Change& change) const {
  if (change.has_trust()) parts_.on_trust(change.trust());
}

void SyncConnection::ForwardTombstones(const v1::StoreMessage::Batch& batch) const {
  // If the metadata is read-only, the replica still has the links, and may serve the copies.
  if (parts_.replica.position().sequence() != batch.to()) return;
  std::vector<Digest> digests;
  for (const v1::Change& change : batch.changes()) {
    if (!change.has_tombstone()) continue;
    auto digest = Digest::Parse(change.tombstone().digest());
    if (digest.has_value()) digests.push_back(*std::move(digest));
  }
  if (!digests.empty()) parts_.on_tombstones(std::move(digests));
}

net::awaitable<Result<void>> SyncConnection::HandleBatch(v1::StoreMessage::Batch batch) {
  auto apply = [this, batch = std::move(batch)] {
    for (const v1::Change& change : batch.changes()) ForwardTrust(change);
    Result<void> applied = parts_.replica.Apply(batch);
    if (applied.has_value()) ForwardTombstones(batch);
    return applied;
  };
  CO_TRY_VOID(co_await Blocking(parts_.pool, std::move(apply)));
  Applied();
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncConnection::HandleSnapshot(v1::StoreMessage::SnapshotPart part) {
  if (!in_snapshot_) {
    co_return Error{ErrorCode::kFailedPrecondition,
                    "the store sent part of a snapshot without announcing the snapshot"};
  }
  const bool last = part.last();
  auto apply = [this, part = std::move(part)] {
    for (const v1::Change& row : part.rows()) ForwardTrust(row);
    return parts_.replica.ApplySnapshot(part);
  };
  CO_TRY_VOID(co_await Blocking(parts_.pool, std::move(apply)));
  if (last) {
    in_snapshot_ = false;
    applied_snapshot_ = true;
    parts_.metrics.snapshots.Increment();
    Applied();
    parts_.log.Info("snapshot applied", {{"sequence", parts_.replica.position().sequence()}});
  }
  co_return Result<void>();
}

void SyncConnection::Applied() {
  const v1::Position applied = parts_.replica.position();
  parts_.freshness.RecordApplied(applied.epoch(), applied.sequence());
  parts_.metrics.applied_sequence.Set(static_cast<double>(applied.sequence()));
  to_acknowledge_ = applied.sequence();
  changed_.Notify();
  const bool written = parts_.replica.followed().sequence() == applied.sequence();
  if (!written && !std::exchange(logged_unwritten_, true)) {
    parts_.log.Error(
        "replica stopped: metadata is read-only; repair the disk or free space, then restart",
        {{"applied", applied.sequence()}});
  }
}

net::awaitable<Result<void>> SyncConnection::HandlePong(v1::StoreMessage::Pong pong) {
  // Ignore pongs during a snapshot, because the serving generation may belong to another epoch.
  if (!welcomed_ || in_snapshot_) co_return Result<void>();
  const v1::Position applied = parts_.replica.followed();
  const v1::Position& head = pong.head();
  if (head.epoch() != applied.epoch()) {
    co_return Error{ErrorCode::kUnavailable, "the store has begun another epoch; reconnecting"};
  }
  if (head.sequence() == applied.sequence() && head.hash() != applied.hash()) co_return Diverged();
  parts_.freshness.RecordPong(std::chrono::nanoseconds(pong.sent_ns()), head.epoch(),
                              head.sequence());
  const int64_t proven_ms = parts_.freshness.ProvenMillis();
  if (proven_ms == 0 || steady_clock::now() < proof_written_ + kProofInterval) {
    co_return Result<void>();
  }
  proof_written_ = steady_clock::now();
  auto keep = [&replica = parts_.replica, proven_ms] { return replica.RecordProof(proven_ms); };
  co_return co_await Blocking(parts_.pool, std::move(keep));
}

net::awaitable<Result<void>> SyncConnection::Write() {
  v1::NodeMessage message;
  if (!want_snapshot_) *message.mutable_hello()->mutable_applied() = parts_.replica.followed();
  message.mutable_hello()->set_version(parts_.version);
  for (std::string& pattern : parts_.replica.scope()) {
    message.mutable_hello()->add_scope(std::move(pattern));
  }
  bool sent = co_await stream_.Write(message);
  auto next_ping = steady_clock::now();
  while (sent && !closed_) {
    const uint64_t seen = changed_.Version();
    message.Clear();
    if (to_acknowledge_.has_value()) {
      message.mutable_acknowledge()->set_sequence(*std::exchange(to_acknowledge_, std::nullopt));
    } else if (steady_clock::now() >= next_ping) {
      message.mutable_ping()->set_sent_ns(parts_.clock.SinceBoot().count());
      parts_.add_status(*message.mutable_ping());
      next_ping = steady_clock::now() + kPingInterval;
    } else {
      co_await changed_.WaitPast(seen, next_ping);
      continue;
    }
    sent = co_await stream_.Write(message);
  }
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncConnection::Watch() {
  while (!closed_) {
    const uint64_t seen = changed_.Version();
    const auto patience = busy_ ? kWhileBusy : welcomed_ ? kSilence : kWelcomeSilence;
    if (steady_clock::now() >= last_heard_ + patience) {
      co_return Error{ErrorCode::kUnavailable,
                      "the store sent nothing on the sync stream in time; reconnecting"};
    }
    co_await changed_.WaitPast(seen,
                               std::min(last_heard_ + patience, steady_clock::now() + kSilence));
  }
  co_return Result<void>();
}

}  // namespace outport::node
