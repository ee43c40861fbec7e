#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "node/replica/freshness.h"
#include "node/replica/replica.h"
#include "registry/base/metrics.h"
#include "registry/service/registry.h"

// May the node answer from its own data, or must it ask the store? The table kRules in
// staleness_rule.cc holds every case. Three rules come before the table:
//
//   - Read-your-writes: if the replica lacks the change that the caller knows of, the node waits up
//     to one second, then asks the store (read_your_writes.h).
//   - A kept answer of the store that is newer than the replica replaces the rows (overlay.h). Its
//     age is the time since the node asked for it.
//   - If such an answer was dropped, or lost in a restart, the age of the rows is unknown until the
//     replica has passed the high-water mark (high_water_mark.h).
//
// Without the store, the node also checks that it holds every blob of a manifest
// (node/manifests/completeness.h).
namespace outport::node {

enum class RequestKind { kTag, kDigest, kBlob, kTagList, kCatalog, kReferrers };

// The node's own data about the request.
enum class Local {
  kFound,         // it has the content, or the list has entries
  kAbsent,        // the repository exists, but has no such content
  kNoRepository,  // the repository does not exist
};

// The age of the node's own data, by the store's policy.
enum class Age {
  kFresh,  // at most max_staleness
  kStale,  // at most stale_if_error, and the policy allows stale answers
  kNever,  // older, or unknown: not usable for tags and lists
};
Age Classify(std::optional<std::chrono::nanoseconds> age, const v1::FreshnessPolicy& policy);

enum class StoreState { kNotAsked, kUnreachable };

enum class Decision {
  kAnswer,       // from the node's own data, as a current answer
  kAskStore,     // only before the node has asked
  kAnswerStale,  // from the node's own data, with Age and Warning
  kUnavailable,  // 503
};
Decision Decide(RequestKind request, Local local, Age age, StoreState store);

// Applies the table to one replica. Safe for all threads; does not block.
class StalenessRule {
 public:
  StalenessRule(const Replica& replica, const Freshness& freshness, Metrics& metrics);

  // The replica's staleness; nullopt: unknown. Read it before the rows: they are no older.
  std::optional<std::chrono::nanoseconds> ReplicaAge() const { return freshness_.Staleness(); }

  // Whether the node may answer without asking the store.
  bool MayAnswer(RequestKind request, Local local,
                 std::optional<std::chrono::nanoseconds> age) const;
  // When the store is unreachable: the staleness to show with the answer (nullopt: none), or
  // kUnavailable with the reason. `what` names the request in errors.
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
