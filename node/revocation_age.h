#pragma once

#include <chrono>
#include <optional>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"

namespace outport::node {

// Checks that this node knows recent enough revocations to admit callers. `staleness` is the age of
// the replica, or nullopt if the age is unknown. Returns kUnavailable if the age is unknown or
// exceeds the policy's limit, unless the policy admits callers even then.
Result<void> CheckRevocationAge(const v1::FreshnessPolicy& policy,
                                std::optional<std::chrono::nanoseconds> staleness);

}  // namespace outport::node
