#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/replica/freshness.h"
#include "node/replica/replica.h"
#include "node/upstream/store_channel.h"
#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/rpc/stream.h"

namespace outport::node {

// What the sync client tells of itself.
struct SyncMetrics {
  explicit SyncMetrics(Metrics& metrics);
  prometheus::Gauge& applied_sequence;
  prometheus::Gauge& connected;
  prometheus::Gauge& staleness_seconds;
  prometheus::Counter& connections;
  prometheus::Counter& snapshots;
  prometheus::Counter& divergences;
};

// One Sync stream to the store, from Hello to its end. Three coroutines on one strand: one reads
// and applies, one writes pings and acknowledgements, one ends a stream from which nothing comes.
class SyncConnection {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    Replica& replica;
    Freshness& freshness;
    BlockingPool& pool;  // one thread: the replica's writer
    const Clock& clock;
    SyncMetrics& metrics;
    Log log;
    std::string version;
    // Adds what this node tells of itself to each ping. Called from any thread.
    std::function<void(v1::NodeMessage::Ping&)> tell = [](v1::NodeMessage::Ping&) {};
    // Takes what the store says of the fleet's authorities. Called on the pool.
    std::function<void(const v1::TrustRow&)> take_trust = [](const v1::TrustRow&) {};
  };
  // `want_snapshot`: the replica is not to be trusted as a place to go on from.
  SyncConnection(Parts parts, bool want_snapshot);

  // Why it ended. kCorrupt: the replica's history is not the store's.
  net::awaitable<Error> Run();
  // Any thread.
  void Cancel();
  // Something came in the last seconds, and the store has welcomed us. Any thread.
  bool IsAlive() const { return alive_; }
  // After Run(): the store answered at all; a snapshot, if one was begun, was applied.
  bool welcomed() const { return welcomed_; }
  bool took_snapshot() const { return took_snapshot_; }

 private:
  net::awaitable<Result<void>> Read();
  net::awaitable<Result<void>> Take(v1::StoreMessage message);
  net::awaitable<Result<void>> TakeWelcome(v1::StoreMessage::Welcome welcome);
  net::awaitable<Result<void>> TakeBatch(v1::StoreMessage::Batch batch);
  net::awaitable<Result<void>> TakeSnapshot(v1::StoreMessage::SnapshotPart part);
  net::awaitable<Result<void>> TakePong(v1::StoreMessage::Pong pong);
  net::awaitable<Result<void>> Write();
  net::awaitable<Result<void>> Watch();
  void TakeTrust(const v1::Change& change) const;
  void Applied();
  // Runs one of the three; the connection closes with it, however it ends.
  net::awaitable<void> RunPart(net::awaitable<Result<void>> work);
  // The first reason counts; without one the stream's own end tells it.
  void Close(std::optional<Error> why);

  using Stream = rpc::ClientStream<v1::NodeMessage, v1::StoreMessage>;

  const Parts parts_;
  const bool want_snapshot_;
  const std::shared_ptr<StoreStubs> store_;
  Stream stream_;
  std::atomic<bool> alive_ = false;

  // On the connection's strand.
  Notifier changed_;
  std::chrono::steady_clock::time_point heard_;
  std::chrono::steady_clock::time_point proof_kept_;
  bool busy_ = false;  // applying: the store is not silent, we do not listen
  bool closed_ = false;
  bool welcomed_ = false;
  bool in_snapshot_ = false;
  bool took_snapshot_ = false;
  bool told_unwritten_ = false;
  std::optional<uint64_t> to_acknowledge_;
  std::optional<Error> failure_;
};

}  // namespace outport::node
