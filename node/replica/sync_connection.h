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

// The metrics of the sync client.
struct SyncMetrics {
  explicit SyncMetrics(Metrics& metrics);
  prometheus::Gauge& applied_sequence;
  prometheus::Gauge& connected;
  prometheus::Gauge& staleness_seconds;
  prometheus::Counter& connections;
  prometheus::Counter& snapshots;
  prometheus::Counter& divergences;
};

// One Sync stream to the store, from the Hello to the end of the stream. Three coroutines run on
// one strand: Read() receives and applies messages, Write() sends pings and acknowledgements,
// Watch() ends a silent stream.
class SyncConnection {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    Replica& replica;
    Freshness& freshness;
    BlockingPool& pool;  // with one thread, for the replica's writes
    const Clock& clock;
    SyncMetrics& metrics;
    Log log;
    std::string version;
    // Adds the node's status to each ping. Called from any thread.
    std::function<void(v1::NodeMessage::Ping&)> add_status = [](v1::NodeMessage::Ping&) {};
    // Gets the store's epoch from each Welcome. Called on the connection's strand; must not block.
    std::function<void(const std::string&)> on_epoch = [](const std::string&) {};
    // Gets each new trust bundle that the store sends. Called on the pool.
    std::function<void(const v1::TrustRow&)> on_trust = [](const v1::TrustRow&) {};
    // Gets the tombstones of each batch that has some, after the replica has applied the batch.
    // Called on the pool, so it must not wait for the disk.
    std::function<void(std::vector<Digest>)> on_tombstones = [](std::vector<Digest>) {};
  };
  // If `want_snapshot`, asks the store for a snapshot, because the replica has diverged from the
  // store.
  SyncConnection(Parts parts, bool want_snapshot);

  // Runs the stream and returns why it ended. kCorrupt means that the replica has diverged from the
  // store.
  net::awaitable<Error> Run();
  // Cancels the stream. Call it from any thread.
  void Cancel();
  // Whether the store has sent a Welcome and the stream is not silent. Call it from any thread.
  bool IsAlive() const { return alive_; }
  // Call these after Run(). They return whether the store sent a Welcome, and whether the replica
  // applied a snapshot.
  bool welcomed() const { return welcomed_; }
  bool applied_snapshot() const { return applied_snapshot_; }

 private:
  net::awaitable<Result<void>> Read();
  net::awaitable<Result<void>> Handle(v1::StoreMessage message);
  net::awaitable<Result<void>> HandleWelcome(v1::StoreMessage::Welcome welcome);
  net::awaitable<Result<void>> HandlePending(v1::StoreMessage::PendingAccess pending);
  net::awaitable<Result<void>> HandleBatch(v1::StoreMessage::Batch batch);
  net::awaitable<Result<void>> HandleSnapshot(v1::StoreMessage::SnapshotPart part);
  net::awaitable<Result<void>> HandlePong(v1::StoreMessage::Pong pong);
  net::awaitable<Result<void>> Write();
  net::awaitable<Result<void>> Watch();
  void ForwardTrust(const v1::Change& change) const;
  void ForwardTombstones(const v1::StoreMessage::Batch& batch) const;
  void Applied();
  // Runs one of the three coroutines, and closes the connection when that coroutine ends.
  net::awaitable<void> RunPart(net::awaitable<Result<void>> work);
  // Closes the connection. Keeps only the reason of the first call. nullopt: the reason is the
  // stream's status.
  void Close(std::optional<Error> why);

  using Stream = rpc::ClientStream<v1::NodeMessage, v1::StoreMessage>;

  const Parts parts_;
  const bool want_snapshot_;
  const std::shared_ptr<StoreStubs> store_;
  Stream stream_;
  std::atomic<bool> alive_ = false;

  // The members below are used on the connection's strand.
  Notifier changed_;
  std::chrono::steady_clock::time_point last_heard_;
  std::chrono::steady_clock::time_point proof_written_;
  bool busy_ = false;  // applying a message; meanwhile the store does not count as silent
  bool closed_ = false;
  bool welcomed_ = false;
  bool in_snapshot_ = false;
  bool applied_snapshot_ = false;
  bool logged_unwritten_ = false;
  std::optional<uint64_t> to_acknowledge_;
  std::optional<Error> failure_;
};

}  // namespace outport::node
