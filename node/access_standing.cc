#include "node/access_standing.h"

namespace outport::node {

Result<void> CheckStanding(const v1::FreshnessPolicy& policy,
                           std::optional<std::chrono::nanoseconds> age) {
  // A store that knows no such limit has sent none.
  if (policy.max_revocation_age_ms() == 0 || policy.serve_beyond_revocation_age()) return {};
  const std::chrono::milliseconds limit(policy.max_revocation_age_ms());
  if (age.has_value() && *age <= limit) return {};
  const std::string known =
      age.has_value()
          ? "for " + std::to_string(std::chrono::ceil<std::chrono::seconds>(*age).count()) +
                " seconds"
          : "since it started";
  return Error{ErrorCode::kUnavailable,
               "this node has not heard from the store " + known +
                   ", so it cannot know whose access was taken away; try another node, or again "
                   "later"};
}

}  // namespace outport::node
