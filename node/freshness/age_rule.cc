#include "node/freshness/age_rule.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;

prometheus::Counter& Count(Metrics& metrics, const std::string& result) {
  return metrics.Counter("outport_node_store_unreachable_answers_total",
                         "Requests handled while the store was unreachable, by result.",
                         {{"result", result}});
}

Error Refuse(const std::string& what, const std::string& why) {
  return Error{ErrorCode::kUnavailable,
               what + ": the store cannot be asked now, and " + why + "; try again later"};
}

}  // namespace

AgeRule::AgeRule(const Replica& replica, const Freshness& freshness, Metrics& metrics)
    : replica_(replica),
      freshness_(freshness),
      stale_(Count(metrics, "stale")),
      refused_(Count(metrics, "rejected")) {}

bool AgeRule::IsFresh(std::chrono::nanoseconds age) const {
  return age <= milliseconds(replica_.policy().max_staleness_ms());
}

bool AgeRule::IsReplicaFresh() const {
  const auto age = freshness_.Staleness();
  return age.has_value() && IsFresh(*age);
}

Result<std::optional<Staleness>> AgeRule::AdmitWithoutStore(
    std::optional<std::chrono::nanoseconds> age, const std::string& what) const {
  const v1::FreshnessPolicy policy = replica_.policy();
  if (age.has_value() && IsFresh(*age)) return std::optional<Staleness>();
  Error refusal = Refuse(what, "how old this node's copy is cannot be told");
  if (age.has_value()) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*age);
    if (policy.serve_stale() && *age <= milliseconds(policy.stale_if_error_ms())) {
      stale_.Increment();
      return std::optional<Staleness>(Staleness{seconds});
    }
    refusal = Refuse(what, "this node's copy of " + std::to_string(seconds.count()) +
                               " seconds ago may not be served");
  }
  refused_.Increment();
  return refusal;
}

}  // namespace outport::node
