#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/freshness/overlay.h"
#include "node/freshness/shown_mark.h"
#include "node/replica/replica_rows.h"
#include "node/upstream/store_channel.h"
#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/single_flight.h"
#include "registry/service/registry.h"

namespace outport::node {

// What the node knows of a key by itself.
struct Recalled {
  v1::ResolveResponse answer;
  // When the store was asked for it; nullopt: the replica's rows say so.
  std::optional<std::chrono::nanoseconds> asked;
  // False: the rows may be behind what was shown of this key.
  bool trusted = true;
};

// Asks the store what it says now: one question per key at a time, a second's deadline, and what
// comes is laid over the replica. Of the store's answers and the replica's rows, the one whose
// point of the log is the later speaks: what was shown never goes backwards. Safe for all strands.
class Resolver {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    const Replica& replica;
    const ReplicaRows& rows;
    MetaStore& meta;
    BlockingPool& pool;
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
    Log log;
  };
  explicit Resolver(Parts parts);

  // Before the first question: what an earlier process has shown. Blocks.
  Result<void> Recover();

  // The store's answer, or what the replica has come to know while it was on its way. One that says
  // "not found", or is older than max_staleness, was asked for after this call began. kUnavailable
  // if there is none, whatever the cause; kTooManyRequests beyond the limit.
  net::awaitable<Result<Resolved>> Resolve(std::string request_id, v1::ResolveRequest request);
  // The same for a caller whose answer must know a change: kUnavailable if the store's does not.
  net::awaitable<Result<Resolved>> ResolveFor(const Caller& caller, v1::ResolveRequest request);
  // What is known without asking: an earlier answer while it is newer than the replica, else the
  // replica's rows.
  net::awaitable<Result<Recalled>> Recall(v1::ResolveRequest request);
  // The answers that are kept of a repository's tags, by tag, and the repositories that are known
  // from kept answers; both in byte order. To be taken before the rows that they correct are read.
  std::vector<std::pair<std::string, Resolved>> KeptTags(const RepositoryName& repository) const;
  std::set<std::string> KeptRepositories() const;
  // Lays over the replica what a write brought: the store's answer from the point on that stands in
  // its head. `asked`: before the write began.
  net::awaitable<void> Learn(v1::ResolveRequest question, v1::ResolveResponse answer,
                             std::chrono::nanoseconds asked);
  // Until the replica has passed that point the store is asked, but for what was learnt there.
  void Distrust(const v1::Position& head) { overlay_.Distrust(head, parts_.replica.position()); }
  // Whether the replica may answer for keys of which no answer is kept.
  bool ReplicaIsTrusted() const { return overlay_.IsComplete(parts_.replica.position()); }
  // Whether the replica has passed every answer that was kept.
  bool ReplicaHasPassed() const { return overlay_.IsPassed(parts_.replica.position()); }

 private:
  net::awaitable<Result<Resolved>> Ask(std::string key, v1::ResolveRequest request,
                                       std::string request_id);
  // Makes an answer known to this node's later ones, in this process and the next.
  net::awaitable<Result<void>> Keep(std::string key, Resolved resolved);
  // Whether who joined a question under way may take what came of it.
  bool MayShare(const Result<Resolved>& result) const;

  const Parts parts_;
  Overlay overlay_;
  ShownMark shown_;
  SingleFlight<Resolved> flights_;
  prometheus::Counter& found_;
  prometheus::Counter& absent_;
  prometheus::Counter& failed_;
};

v1::ResolveRequest AskReference(const RepositoryName& repository, const Reference& reference);
v1::ResolveRequest AskBlob(const RepositoryName& repository, const Digest& digest);
v1::ResolveRequest AskHead();

}  // namespace outport::node
