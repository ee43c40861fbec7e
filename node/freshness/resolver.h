#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/freshness/high_water_mark.h"
#include "node/freshness/overlay.h"
#include "node/replica/replica_rows.h"
#include "node/upstream/store_channel.h"
#include "outport/v1/replication.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/single_flight.h"
#include "registry/service/registry.h"

namespace outport::node {

// The node's own answer: from the overlay, or else from the replica.
struct LocalAnswer {
  ResolveAnswer answer;
  // When the node asked the store for this answer; nullopt: it comes from the replica's rows.
  std::optional<std::chrono::nanoseconds> asked;
  // False: the rows may be older than an answer that this node has shown.
  bool trusted = true;
};

// Asks the store for the current answer to a question. Callers with the same question share one
// call, which has a deadline of one second. The resolver keeps the answers in an overlay over the
// replica. Of the store's answers and the replica's rows, the one at the later position wins, so
// that this node's answers never go backwards. Safe for all strands.
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

  // Loads the high-water mark of an earlier process. Call it before the first question. Blocks.
  Result<void> Recover();

  // The store's answer, or the replica's answer if the replica passed the store's meanwhile. The
  // call may share the answer to an earlier call, unless that answer is "not found" or older than
  // max_staleness. kUnavailable for every failure of the call; kTooManyRequests if too many
  // questions are open.
  net::awaitable<Result<StoreAnswer>> Resolve(std::string request_id, ResolveQuestion question);
  // As Resolve(), but kUnavailable if the answer is older than the change that the caller knows of.
  net::awaitable<Result<StoreAnswer>> ResolveFor(const Caller& caller, ResolveQuestion question);
  // The position of the store now. Errors as Resolve().
  net::awaitable<Result<v1::Position>> ResolveHead(std::string request_id);

  // The answer without asking the store: from the overlay while it is newer than the replica,
  // otherwise from the replica's rows.
  net::awaitable<Result<LocalAnswer>> FindLocal(ResolveQuestion question);
  // The overlay's answers about a repository's tags, and the repositories that exist by its
  // answers; both in byte order. Read these before the rows that they correct.
  std::vector<std::pair<Tag, StoreAnswer>> OverlayTags(const RepositoryName& repository) const;
  std::set<RepositoryName> OverlayRepositories() const;

  // Puts the result of a relayed write into the overlay: `answer` is the store's state at
  // `position`, where the write committed. `asked`: a time before the write began.
  net::awaitable<void> RecordWrite(ResolveQuestion question, ResolveAnswer answer,
                                   v1::Position position, std::chrono::nanoseconds asked);
  // Until the replica has passed `position`, the node asks the store, except for questions whose
  // answers at `position` are recorded.
  void DropOlder(const v1::Position& position) {
    overlay_.DropOlder(position, parts_.replica.position());
  }
  // Whether the replica may answer questions that the overlay has no answer to.
  bool ReplicaIsTrusted() const { return overlay_.IsComplete(parts_.replica.position()); }
  // Whether the replica has passed every answer of the overlay.
  bool ReplicaHasPassed() const { return overlay_.IsPassed(parts_.replica.position()); }

 private:
  net::awaitable<Result<v1::ResolveResponse>> Call(v1::ResolveRequest request, std::string what,
                                                   std::string request_id);
  net::awaitable<Result<StoreAnswer>> AskStore(ResolveQuestion question, std::string request_id);
  net::awaitable<Result<StoreAnswer>> AskStoreForHead(std::string request_id);
  // Keeps an answer for later ones: in the overlay, and by the high-water mark for later processes.
  net::awaitable<Result<void>> Keep(ResolveQuestion question, StoreAnswer answer);
  // Shares `work` among callers with this key.
  net::awaitable<Result<StoreAnswer>> Share(std::string key, SingleFlight<StoreAnswer>::Work work);
  // Whether a caller that joined a running call may use the call's result.
  bool MayShare(const Result<StoreAnswer>& result) const;

  const Parts parts_;
  Overlay overlay_;
  HighWaterMark high_water_mark_;
  SingleFlight<StoreAnswer> flights_;
  prometheus::Counter& found_;
  prometheus::Counter& absent_;
  prometheus::Counter& failed_;
};

}  // namespace outport::node
