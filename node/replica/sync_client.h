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
// between them. Removes the garbage of old generations in steps, between two batches. Safe for all
// threads.
class SyncClient {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    Replica& replica;
    Freshness& freshness;
    BlockingPool& pool;  // one thread, for nothing else: the replica's only writer
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::string version;
    // Adds the node's status to each ping. Called from any thread.
    std::function<void(v1::NodeMessage::Ping&)> add_status = [](v1::NodeMessage::Ping&) {};
    // Receives each new trust bundle from the store. Called on the pool.
    std::function<void(const v1::TrustRow&)> on_trust = [](const v1::TrustRow&) {};
  };
  explicit SyncClient(Parts parts);

  void Start();
  // Ends the stream and starts no other. Drain `tasks` afterwards.
  void Stop();
  // Ends the stream and starts another one over the current channel. Any thread.
  void Reconnect();
  // Why the store denies every call of this node: the node was removed, or its certificate is
  // invalid. nullopt if the store does not.
  std::optional<std::string> WhyDenied() const;
  // Whether the store has sent something in the last seconds.
  bool IsConnected() const;

 private:
  net::awaitable<void> Run();
  // Runs one stream. Returns the pause before the next one; nullopt: a backoff that grows with the
  // failures.
  net::awaitable<std::optional<std::chrono::milliseconds>> RunOnce();
  net::awaitable<void> WriteProof();
  net::awaitable<void> CollectGarbage();
  net::awaitable<void> RemoveGarbage();
  net::awaitable<void> RemoveContents();
  // Waits until a proof of freshness is newer than this call. False if the client stops before.
  net::awaitable<bool> WaitForNewProof();
  net::awaitable<void> UpdateMetrics();
  std::chrono::milliseconds Backoff();
  bool IsStopping() const;

  const Parts parts_;
  SyncMetrics metrics_;
  Notifier stopped_;

  // Used by Run()'s coroutine.
  std::minstd_rand random_;
  int failures_ = 0;
  bool want_snapshot_ = false;

  mutable Mutex mutex_;
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::optional<std::string> denied_ OUTPORT_GUARDED_BY(mutex_);
  // Shared with callers that query or cancel the stream while it ends.
  std::shared_ptr<SyncConnection> connection_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
