#include "node/revocation_age.h"

#include <string>

namespace outport::node {

Result<void> CheckRevocationAge(const v1::FreshnessPolicy& policy,
                                std::optional<std::chrono::nanoseconds> staleness) {
  // The limit is 0 if the store is too old to send it.
  if (policy.max_revocation_age_ms() == 0 || policy.serve_beyond_revocation_age()) return {};
  const std::chrono::milliseconds limit(policy.max_revocation_age_ms());
  if (staleness.has_value() && *staleness <= limit) return {};
  const std::string since =
      staleness.has_value()
          ? "for " + std::to_string(std::chrono::ceil<std::chrono::seconds>(*staleness).count()) +
                " seconds"
          : "since it started";
  return Error{ErrorCode::kUnavailable,
               "this node has not heard from the store " + since +
                   " and does not know the latest revocations; use another node, or retry later"};
}

}  // namespace outport::node
