#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/rpc/stream.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/fleet/connected_nodes.h"
#include "store/fleet/member_directory.h"
#include "store/fleet/node_scope.h"
#include "store/replication/log_reader.h"
#include "store/replication/snapshot_limits.h"

namespace outport::store {

using SyncStream = rpc::ServerStream<v1::NodeMessage, v1::StoreMessage>;

// Serves one node's Sync stream, from the node's Hello to the end of the stream. Sends only rows in
// the node's scope. Four coroutines run on one strand:
//   - Listen() reads the node's messages, and answers a ping with the head read after the ping;
//   - FollowLog() reads the snapshot and the change log;
//   - Write() sends the messages that Listen() and FollowLog() queue;
//   - Watch() ends the stream of a silent node.
// The queue has room for two messages. If the node is slow, gRPC's flow control stops Write(). The
// queue then fills, and FollowLog() stops reading the log.
class SyncSession {
 public:
  struct Parts {
    MetaStore& meta;
    const MemberDirectory& members;
    BlockingPool& pool;
    ConnectedNodes& nodes;
    SnapshotLimits& snapshots;
    const Clock& clock;
    Log log;
    std::string epoch;
    v1::FreshnessPolicy policy;
    // Fails if the node has no right to receive changes, or has lost that right. Called before each
    // message, so it must not block.
    std::function<Result<void>()> allowed;
    AccessFollower* access = nullptr;  // whose pending changes the node receives; null: none
  };
  // `stream` outlives Run().
  SyncSession(Parts parts, std::string node, SyncStream& stream);

  // Runs the stream. Returns when the stream has ended with a status for the node and all
  // coroutines are done.
  net::awaitable<Result<void>> Run();

 private:
  net::awaitable<void> ServeUntilClosed();
  net::awaitable<Result<void>> Listen();
  net::awaitable<Result<void>> Answer(const v1::NodeMessage& message);
  net::awaitable<Result<void>> FollowLog();
  net::awaitable<Result<std::optional<LogPosition>>> FindApplied(const NodeScope& scope);
  net::awaitable<Result<LogPosition>> SendSnapshot(const NodeScope& scope);
  net::awaitable<Result<void>> SendBatch(LogReader& reader, const NodeScope& scope);
  // Reads the list of pending changes of access in the node's scope.
  net::awaitable<Result<v1::StoreMessage::PendingAccess>> ReadPending(const NodeScope& scope);
  net::awaitable<Result<void>> SendPending(const NodeScope& scope);
  net::awaitable<Result<void>> RenewPending(const NodeScope& scope);
  uint64_t PendingVersion() const;
  // Waits until the log's head or the list of pending changes differs from what the caller saw.
  net::awaitable<void> WaitForNews(uint64_t seen_head, uint64_t seen_pending);
  net::awaitable<Result<void>> Write();
  net::awaitable<Result<void>> Watch();

  // Runs one of the four coroutines, and closes the session when that coroutine ends.
  net::awaitable<void> RunPart(net::awaitable<Result<void>> work);
  // Queues a message, and waits while the queue is full. Returns false if the session has closed.
  net::awaitable<bool> Push(v1::StoreMessage message);
  // Closes the session. Keeps only the reason of the first call. nullopt: the node disconnected.
  void Close(std::optional<Error> why);
  std::optional<Error> CloseRequest();

  const Parts parts_;
  const std::string node_;
  SyncStream& stream_;
  uint64_t ticket_ = 0;

  // The members below are used on the session's strand.
  Notifier changed_;
  std::optional<v1::NodeMessage::Hello> hello_;
  std::deque<v1::StoreMessage> outbound_;
  std::chrono::steady_clock::time_point last_heard_;
  bool closed_ = false;
  bool writing_ = false;
  uint64_t sent_sequence_ = 0;  // the node has been sent the log up to here
  // The rows of the list of pending changes. A row stays in the list until the node has been sent
  // the log up to the head at which its change was no longer pending; nullopt: it is pending.
  std::map<std::string, std::optional<uint64_t>> listed_;
  std::optional<Error> failure_;

  Mutex mutex_;
  std::optional<Error> close_requested_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
