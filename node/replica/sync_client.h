#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "node/replica/sync_connection.h"
#include "node/upstream/store_channel.h"
#include "registry/base/mutex.h"
#include "registry/base/task_group.h"

namespace outport::node {

// Keeps the replica up to date: runs one Sync stream after another, with backoff and full jitter
// between the streams. Between batches, it removes the garbage of old generations in steps. Safe
// for all threads.
class SyncClient {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    Replica& replica;
    Freshness& freshness;
    BlockingPool& pool;  // with one thread, only for the replica's writes
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::string version;
    // Adds the node's status to each ping. Called from any thread.
    std::function<void(v1::NodeMessage::Ping&)> add_status = [](v1::NodeMessage::Ping&) {};
    // As in SyncConnection::Parts.
    std::function<void(const std::string&)> on_epoch = [](const std::string&) {};
    // Gets each new trust bundle that the store sends. Called on the pool.
    std::function<void(const v1::TrustRow&)> on_trust = [](const v1::TrustRow&) {};
    // As in SyncConnection::Parts.
    std::function<void(std::vector<Digest>)> on_tombstones = [](std::vector<Digest>) {};
    // Drops these copies of blobs from the cache.
    std::function<net::awaitable<Result<void>>(std::vector<CopyName>)> drop_copies;
  };
  explicit SyncClient(Parts parts);

  void Start();
  // Ends the stream, and starts no further stream. Drain `tasks` afterwards.
  void Stop();
  // Ends the stream and starts a new one over the current channel. Call it from any thread.
  void Reconnect();
  // Returns why the store denies every call of this node: an administrator removed the node, or its
  // certificate is invalid. Returns nullopt if the store does not deny the calls.
  std::optional<std::string> WhyDenied() const;
  // Returns a text if the last connection was closed in the TLS handshake. The store does this to a
  // node whose certificate was revoked, but a proxy before an unreachable store does it, too.
  std::optional<std::string> WhyClosed() const;
  // Whether the stream is connected and the store has sent something in the last 3 seconds.
  bool IsConnected() const;

 private:
  net::awaitable<void> Run();
  // Runs one stream. Returns the pause before the next stream. nullopt means a backoff that grows
  // with the number of failures.
  net::awaitable<std::optional<std::chrono::milliseconds>> RunOnce();
  // Records why a stream ended. `welcomed`: the store had accepted it.
  void RecordEnd(const Error& why, bool welcomed);
  net::awaitable<void> WriteProof();
  net::awaitable<void> CollectGarbage();
  net::awaitable<void> RemoveGarbage();
  net::awaitable<void> RemoveContents();
  net::awaitable<void> DropCopies();
  // Drops the collected copies that no repository links.
  net::awaitable<Result<void>> DropUnlinked();
  // Waits for a proof of freshness that is newer than this call. Returns false if the client stops
  // first.
  net::awaitable<bool> WaitForNewProof();
  net::awaitable<void> UpdateMetrics();
  std::chrono::milliseconds Backoff();
  bool IsStopping() const;

  const Parts parts_;
  SyncMetrics metrics_;
  Notifier stopped_;

  // Only Run()'s coroutine uses these members.
  std::minstd_rand random_;
  int failures_ = 0;
  bool want_snapshot_ = false;

  mutable Mutex mutex_;
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::optional<std::string> denied_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<std::string> closed_ OUTPORT_GUARDED_BY(mutex_);
  // Other threads may query or cancel the connection while it ends, so they share it.
  std::shared_ptr<SyncConnection> connection_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
