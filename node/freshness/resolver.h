#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/freshness/high_water_mark.h"
#include "node/freshness/overlay.h"
#include "node/freshness/push_leases.h"
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

// Whether a question to the store failed without an answer: the store is unreachable, or the node
// has too many open questions. Then the node's own data may be good enough.
inline bool DidNotAnswer(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTooManyRequests;
}

// The node's own answer, from the overlay or, if the overlay has none, from the replica.
struct LocalAnswer {
  ResolveAnswer answer;
  // The time when the node asked the store for this answer. nullopt: the answer comes from the
  // replica's rows.
  std::optional<std::chrono::nanoseconds> asked;
  // False if the rows may be older than an answer that this node has sent.
  bool trusted = true;

  // Returns an upper bound of the answer's age at `now`, by Clock::SinceBoot; nullopt: the age is
  // unknown. `rows_age` is the replica's age from before the question.
  std::optional<std::chrono::nanoseconds> Age(std::optional<std::chrono::nanoseconds> rows_age,
                                              std::chrono::nanoseconds now) const;
};

// Asks the store for the current answer to a question. Callers with the same question share one
// call, which has a deadline of one second; a call that renews a lease has three seconds, because
// the store waits for its locks. Limits the open questions, and for calls that renew a lease also
// the open questions of each user. The resolver keeps the store's answers in an overlay over the
// replica. If both have an answer, the resolver uses the answer with the later position,
// so that this node's answers never go backwards. Safe for all strands.
class Resolver {
 public:
  struct Limits {
    size_t questions = 256;  // without those that renew a lease
    size_t touches = 256;    // questions that renew a lease
    // So that one holder that pushes does not keep the others from pushing. While they leave enough
    // free, a holder may have more, up to half of all.
    size_t touches_of_holder = 64;
  };
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
    Limits limits = {};
  };
  explicit Resolver(Parts parts);

  // Loads the high-water mark of an earlier process. Call it before the first question. Blocks.
  Result<void> Recover();

  // Returns the store's answer, or the replica's answer if the replica has passed the store's
  // answer meanwhile. May share the answer to an earlier call, unless that answer is "not found" or
  // older than max_staleness. Returns kUnavailable for every failure of the call, and
  // kTooManyRequests if too many questions are open, so that the node did not ask.
  net::awaitable<Result<StoreAnswer>> Resolve(std::string request_id, ResolveQuestion question);
  // Like Resolve(), but returns kUnavailable if the answer is older than the change that the caller
  // knows of.
  net::awaitable<Result<StoreAnswer>> ResolveFor(const Caller& caller, ResolveQuestion question);
  // Like ResolveFor(), for a client that may push: the store first renews the lease of the content,
  // so that its garbage collector keeps the content. Also returns kTooManyRequests if the caller's
  // user has too many such questions open. If the store says that a blob is absent, the
  // result is "not found" although the replica may still have the link: the store has no bytes that
  // a push could refer to.
  net::awaitable<Result<StoreAnswer>> Touch(const Caller& caller, ResolveQuestion question);
  // Drops the leases that a store of another epoch has renewed. `epoch` is from the store's
  // Welcome.
  void BeginEpoch(const std::string& epoch) { leases_.BeginEpoch(epoch); }
  // Whether an earlier Touch() found the content, and at least half of its lease is left. `content`
  // names the content by digest.
  bool HasLease(const ResolveQuestion& content) {
    return leases_.Covers(parts_.replica.position().epoch(), content);
  }
  // Asks the store for its current position. Fails like Resolve().
  net::awaitable<Result<v1::Position>> ResolveHead(std::string request_id);

  // Answers without asking the store: from the overlay if its answer is newer than the replica,
  // otherwise from the replica's rows.
  net::awaitable<Result<LocalAnswer>> FindLocal(ResolveQuestion question);
  // The two methods return the overlay's answers about a repository's tags, and the repositories
  // that exist according to the overlay, in byte order. The answers correct the replica's rows, so
  // call the methods before you read the rows.
  std::vector<std::pair<Tag, StoreAnswer>> OverlayTags(const RepositoryName& repository) const;
  std::set<RepositoryName> OverlayRepositories() const;

  // Puts the result of a relayed write into the overlay: `answer` is the store's state at
  // `position`, where the write committed. `asked` is a time before the write began.
  net::awaitable<void> RecordWrite(ResolveQuestion question, ResolveAnswer answer,
                                   v1::Position position, std::chrono::nanoseconds asked);
  // Drops every kept answer that is older than `position`. Until the replica has passed `position`,
  // the node asks the store each question, unless the overlay has an answer from `position` on.
  void DropOlder(const v1::Position& position) {
    overlay_.DropOlder(position, parts_.replica.position());
  }
  // Whether the replica may answer questions that the overlay has no answer to.
  bool ReplicaIsTrusted() const { return overlay_.IsComplete(parts_.replica.position()); }
  // Whether the replica has passed every answer of the overlay.
  bool ReplicaHasPassed() const { return overlay_.IsPassed(parts_.replica.position()); }

 private:
  enum class Kind { kResolve, kTouch };
  net::awaitable<Result<v1::ResolveResponse>> Call(Kind kind, v1::ResolveRequest request,
                                                   std::string what, std::string request_id);
  // The request that asks, and its holder if the question counts against that holder's share.
  struct Asking {
    std::string request_id;
    Holder holder = {};
  };
  // Asks the store, or joins a call in progress of the same kind.
  net::awaitable<Result<StoreAnswer>> Ask(Kind kind, Asking asking, ResolveQuestion question);
  net::awaitable<Result<StoreAnswer>> AskFor(Kind kind, const Caller& caller,
                                             ResolveQuestion question);
  net::awaitable<Result<StoreAnswer>> AskStore(Kind kind, ResolveQuestion question,
                                               std::string request_id);
  net::awaitable<Result<StoreAnswer>> AskStoreForHead(std::string request_id);
  // Puts an answer into the overlay, for later questions, and raises the high-water mark, for later
  // processes.
  net::awaitable<Result<void>> Keep(ResolveQuestion question, StoreAnswer answer);
  // Runs `work` once for all concurrent callers with this key.
  using Flights = SingleFlight<StoreAnswer>;
  net::awaitable<Result<StoreAnswer>> Share(Flights& flights, std::string key, Holder holder,
                                            Flights::Work work);
  // Whether a caller that joined a call in progress may use the call's result.
  bool MayShare(const Result<StoreAnswer>& result) const;

  const Parts parts_;
  Overlay overlay_;
  HighWaterMark high_water_mark_;
  PushLeases leases_;
  Flights flights_;
  Flights touches_;  // of its own, so that pushes do not keep pulls from asking
  prometheus::Counter& found_;
  prometheus::Counter& absent_;
  prometheus::Counter& failed_;
};

}  // namespace outport::node
