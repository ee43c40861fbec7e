#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "outport/v1/retention.pb.h"
#include "registry/base/result.h"

namespace re2 {
class RE2;
}

namespace outport::store {

inline constexpr size_t kMaxPolicyFileBytes = 64 * 1024;
inline constexpr size_t kMaxPolicies = 100;

// Where policies come from. An earlier release may have stored policies that a file may no longer
// have. They stay in force until an administrator applies others.
enum class PolicySource { kFile, kStore };

// Reads the policies of retention from YAML; docs/operate.md shows the format. Unknown keys are
// errors. kInvalidArgument with all problems, one a line: "FILE:LINE: problem". `file_name` is for
// these lines.
Result<v1::RetentionPolicies> ParsePolicies(const std::string& yaml, const std::string& file_name,
                                            PolicySource source = PolicySource::kFile);

// Compiles a pattern of tags, with a bound on its memory. kInvalidArgument says what is wrong with
// it. The pattern matches in linear time.
Result<std::unique_ptr<re2::RE2>> CompileTagPattern(const std::string& pattern);

// Returns the minute of the day of a schedule "HH:MM"; -1: no schedule, or it is invalid.
int MinuteOfSchedule(const std::string& schedule);

}  // namespace outport::store
