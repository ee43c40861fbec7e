#pragma once

#include <chrono>
#include <optional>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"

namespace outport::node {

// Whether this node may let anybody in, whose access may have been taken away since it last heard
// from the store. `age`: of what it knows; nullopt if it cannot tell. kUnavailable beyond the
// policy's limit, where the policy is to refuse then.
Result<void> CheckStanding(const v1::FreshnessPolicy& policy,
                           std::optional<std::chrono::nanoseconds> age);

}  // namespace outport::node
