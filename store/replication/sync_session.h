#pragma once

#include <deque>
#include <functional>
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
#include "store/fleet/connected_nodes.h"
#include "store/fleet/member_directory.h"
#include "store/fleet/node_scope.h"
#include "store/replication/log_reader.h"

namespace outport::store {

using SyncStream = rpc::ServerStream<v1::NodeMessage, v1::StoreMessage>;

// One node's Sync stream, from its Hello to its end, within what the node is told of. Four
// coroutines on one strand: one listens (a Ping is answered with the head as it is after the ping
// came), one reads the change log, one writes what both want sent, and one ends the stream of a
// node that fell silent. Between them stands a queue of two messages: a slow node stops the reading
// of the log, by gRPC's flow control.
class SyncSession {
 public:
  struct Parts {
    MetaStore& meta;
    const MemberDirectory& members;
    BlockingPool& pool;
    ConnectedNodes& nodes;
    const Clock& clock;
    Log log;
    std::string epoch;
    v1::FreshnessPolicy policy;
    // Whether the node may (still) be told: asked before anything is, so it must not block.
    std::function<Result<void>()> allowed;
  };
  // `stream` lives until Run() returns.
  SyncSession(Parts parts, std::string node, SyncStream& stream);

  // Returns when the stream has ended, with the reason told to the node, and nothing of it is under
  // way.
  net::awaitable<Result<void>> Run();

 private:
  net::awaitable<void> Conduct();
  net::awaitable<Result<void>> Listen();
  net::awaitable<Result<void>> Answer(const v1::NodeMessage& message);
  net::awaitable<Result<void>> FollowLog();
  net::awaitable<Result<std::optional<LogPosition>>> FindApplied(const NodeScope& scope);
  net::awaitable<Result<LogPosition>> SendSnapshot(const NodeScope& scope);
  net::awaitable<Result<void>> SendBatch(LogReader& reader);
  net::awaitable<void> WaitForHead(uint64_t seen);
  net::awaitable<Result<void>> Write();
  net::awaitable<Result<void>> Watch();

  // Runs one of the four; the session closes with it, however it ends.
  net::awaitable<void> RunPart(net::awaitable<Result<void>> work);
  // Waits for room; false once the session has closed.
  net::awaitable<bool> Push(v1::StoreMessage message);
  // The first reason counts.
  void Close(std::optional<Error> why);
  std::optional<Error> WhyCut();

  const Parts parts_;
  const std::string node_;
  SyncStream& stream_;
  uint64_t ticket_ = 0;

  // On the session's strand.
  Notifier changed_;
  std::optional<v1::NodeMessage::Hello> hello_;
  std::deque<v1::StoreMessage> outbound_;
  std::chrono::steady_clock::time_point heard_;
  bool closed_ = false;
  bool writing_ = false;
  std::optional<Error> failure_;

  Mutex mutex_;
  std::optional<Error> cut_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
