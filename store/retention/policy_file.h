#pragma once

#include <cstddef>
#include <string>

#include "outport/v1/retention.pb.h"
#include "registry/base/result.h"
#include "store/retention/tag_patterns.h"

namespace outport::store {

inline constexpr size_t kMaxPolicyFileBytes = 64 * 1024;
inline constexpr size_t kMaxPolicies = 100;

// Reads the policies of retention from YAML; docs/operate.md shows the format. Unknown keys are
// errors. kInvalidArgument with all problems, one a line: "FILE:LINE: problem". `file_name` is for
// these lines. If the patterns are too large together, the first one that is over the limit is the
// last pattern that has a problem.
Result<v1::RetentionPolicies> ParsePolicies(const std::string& yaml, const std::string& file_name,
                                            PolicySource source = PolicySource::kFile);
// The same, and `patterns` keeps the compiled patterns of the file.
Result<v1::RetentionPolicies> ParsePolicies(const std::string& yaml, const std::string& file_name,
                                            TagPatterns& patterns);

// Returns the minute of the day of a schedule "HH:MM"; -1: no schedule, or it is invalid.
int MinuteOfSchedule(const std::string& schedule);

}  // namespace outport::store
