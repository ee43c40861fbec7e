#pragma once

#include <cstddef>
#include <string_view>

namespace outport {

// Patterns of repository names, for grants and node permissions. "**" matches all names, "team/*"
// matches names one level below team, "team/**" matches names any number of levels below team, and
// "team/app" matches only itself.
inline constexpr size_t kMaxPatternBytes = 255;  // the maximum length of a repository name
inline constexpr std::string_view kEverything = "**";

bool MatchesPattern(std::string_view pattern, std::string_view repository);
// Whether some text can match both patterns.
bool PatternsOverlap(std::string_view one, std::string_view other);

}  // namespace outport
