#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "node/replica/freshness.h"
#include "node/replica/replica.h"
#include "registry/base/metrics.h"
#include "registry/records/resolve.h"
#include "registry/service/registry.h"

// Decides whether the node may answer from its own data or must ask the store. The table kRules in
// staleness_rule.cc lists every case. Three rules come before the table:
//
//   - Read-your-writes: if the replica lacks the change that the caller knows of, the node waits up
//     to one second, then asks the store (read_your_writes.h).
//   - If the overlay has an answer of the store that is newer than the replica, the answer replaces
//     the rows (overlay.h). The answer's age is the time since the node asked the store.
//   - If the node dropped such an answer, or lost it in a restart, the age of the rows is unknown
//     until the replica has passed the high-water mark (high_water_mark.h).
//
// If the node has so many open questions that it cannot ask the store, it answers by digest as
// while the store is unreachable, and otherwise 429.
//
// While the store is unreachable, the node also checks that its cache has every blob of a manifest
// (node/manifests/completeness.h).
namespace outport::node {

enum class RequestKind { kTag, kDigest, kBlob, kTagList, kCatalog, kReferrers };

// The answer to the request by the node's own data.
enum class Local {
  kFound,         // the node has the content, or the list has entries
  kAbsent,        // the repository exists, but has no such content
  kNoRepository,  // the repository does not exist
};
Local LocalOf(const ResolveAnswer& answer);

// The age of the node's own data, in the classes of the store's policy.
enum class Age {
  kFresh,    // at most max_staleness
  kStale,    // at most stale_if_error, and the policy allows stale answers
  kRefused,  // at most stale_if_error, and the policy allows no stale answers
  kNever,    // older or unknown
};
Age Classify(std::optional<std::chrono::nanoseconds> age, const v1::FreshnessPolicy& policy);

enum class StoreState { kNotAsked, kUnreachable };

enum class Decision {
  kAnswer,       // answer from the node's own data, as current
  kAskStore,     // ask the store; only if the node has not asked it yet
  kAnswerStale,  // answer from the node's own data, with Age and Warning
  kUnavailable,  // answer 503
};
Decision Decide(RequestKind request, Local local, Age age, StoreState store);

// Applies the table to one replica. Safe for all threads; does not block.
class StalenessRule {
 public:
  StalenessRule(const Replica& replica, const Freshness& freshness, Metrics& metrics);

  // Returns the replica's staleness; nullopt if it is unknown. Call it before you read the rows:
  // the rows are then no older than the result says.
  std::optional<std::chrono::nanoseconds> ReplicaAge() const { return freshness_.Staleness(); }

  // Whether the node may answer without asking the store.
  bool MayAnswer(RequestKind request, Local local,
                 std::optional<std::chrono::nanoseconds> age) const;
  // Whether the node may answer as current while the store is unreachable.
  bool MayAnswerWithoutStore(RequestKind request, Local local,
                             std::optional<std::chrono::nanoseconds> age) const;
  // For an unreachable store: returns the staleness to show with the answer (nullopt: show none),
  // or kUnavailable with the reason. `what` names the request in errors.
  Result<std::optional<Staleness>> AnswerWithoutStore(RequestKind request, Local local,
                                                      std::optional<std::chrono::nanoseconds> age,
                                                      const std::string& what) const;

 private:
  const Replica& replica_;
  const Freshness& freshness_;
  prometheus::Counter& stale_;
  prometheus::Counter& rejected_;
};

}  // namespace outport::node
