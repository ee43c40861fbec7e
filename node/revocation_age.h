#pragma once

#include <chrono>
#include <optional>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"

namespace outport::node {

// Checks that this node knows revocations recent enough to admit callers. `staleness` is the age of
// the replica; nullopt if it is unknown. Returns kUnavailable if the age exceeds the policy's limit
// and the policy forbids to admit callers then.
Result<void> CheckRevocationAge(const v1::FreshnessPolicy& policy,
                                std::optional<std::chrono::nanoseconds> staleness);

}  // namespace outport::node
