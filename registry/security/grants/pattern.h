#pragma once

#include <cstddef>
#include <string_view>

namespace outport {

// Patterns of repositories' names: "**" any, "team/*" one level, "team/**" any depth, "team/app"
// exactly. Grant and node permissions have them.
inline constexpr size_t kMaxPatternBytes = 255;  // as long as a repository's name
inline constexpr std::string_view kEverything = "**";

bool MatchesPattern(std::string_view pattern, std::string_view repository);
// Whether some text matches both: what one allows may lie within the other.
bool PatternsMeet(std::string_view one, std::string_view other);

}  // namespace outport
