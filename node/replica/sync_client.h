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

// Keeps the replica level with the store: one Sync stream after another, with backoff and full
// jitter between them. Removes what snapshots leave behind, in steps between the batches that are
// applied. Safe for all threads.
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
    // Adds what this node tells of itself to each ping. Called from any thread.
    std::function<void(v1::NodeMessage::Ping&)> tell = [](v1::NodeMessage::Ping&) {};
    // Takes what the store says of the fleet's authorities. Called on the pool.
    std::function<void(const v1::TrustRow&)> take_trust = [](const v1::TrustRow&) {};
  };
  explicit SyncClient(Parts parts);

  void Start();
  // Ends the stream and begins no other; `tasks` drains afterwards.
  void Stop();
  // Ends the stream; another is begun over what the channel is then. Any thread.
  void BeginAnew();
  // Why the store refuses this node, whatever it asks: it was removed, or its certificate is no
  // good.
  std::optional<std::string> WhyRefused() const;
  // The store was heard in the last seconds.
  bool IsConnected() const;

 private:
  net::awaitable<void> Run();
  // How long to wait before the next; nullopt: the longer, the more failed.
  net::awaitable<std::optional<std::chrono::milliseconds>> RunOnce();
  net::awaitable<void> KeepProof();
  net::awaitable<void> Sweep();
  net::awaitable<void> RemoveGarbage();
  net::awaitable<void> RemoveContents();
  // Until the replica is proven to be younger than now; false if this client stops before.
  net::awaitable<bool> ProveAnew();
  net::awaitable<void> Measure();
  std::chrono::milliseconds Backoff();
  bool IsStopping() const;

  const Parts parts_;
  SyncMetrics metrics_;
  Notifier stopped_;

  // Of Run()'s coroutine.
  std::minstd_rand random_;
  int failures_ = 0;
  bool want_snapshot_ = false;

  mutable Mutex mutex_;
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::optional<std::string> refused_ OUTPORT_GUARDED_BY(mutex_);
  // Shared with those who ask or cancel while it ends.
  std::shared_ptr<SyncConnection> connection_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
