#pragma once

#include <chrono>
#include <optional>

#include "node/replica/freshness.h"
#include "node/replica/replica.h"
#include "registry/base/metrics.h"
#include "registry/service/registry.h"

namespace outport::node {

// What may be answered from the node's own rows, by their age and the store's policy. Safe for all
// threads; does not block.
class AgeRule {
 public:
  AgeRule(const Replica& replica, const Freshness& freshness, Metrics& metrics);

  // Young enough to be answered without asking the store.
  bool IsFresh(std::chrono::nanoseconds age) const;
  bool IsReplicaFresh() const;
  std::optional<std::chrono::nanoseconds> ReplicaAge() const { return freshness_.Staleness(); }

  // With the store away: how old to call an answer of this age (nullopt: fresh). kUnavailable, with
  // the reason, where the policy refuses it or the age is unknown. `what` names the answer.
  Result<std::optional<Staleness>> AdmitWithoutStore(std::optional<std::chrono::nanoseconds> age,
                                                     const std::string& what) const;

 private:
  const Replica& replica_;
  const Freshness& freshness_;
  prometheus::Counter& stale_;
  prometheus::Counter& refused_;
};

}  // namespace outport::node
