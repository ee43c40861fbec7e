#include "registry/security/grants/pattern.h"

#include <bitset>
#include <vector>

namespace outport {
namespace {

// The set of prefixes of the pattern that match the text read so far. Bit i is set if the prefix of
// i bytes matches.
using Matched = std::bitset<kMaxPatternBytes + 1>;

// A star may match no character. So if a prefix matches, this also marks the prefix that includes
// the stars after it.
void SkipStars(std::string_view pattern, Matched& matched) {
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (matched[i] && pattern[i] == '*') matched.set(i + 1);
  }
}

bool IsDeep(std::string_view pattern, size_t star) {
  return (star + 1 < pattern.size() && pattern[star + 1] == '*') ||
         (star > 0 && pattern[star - 1] == '*');
}

// Whether the pattern has a star at `at` that can match `c`.
bool StarMatches(std::string_view pattern, size_t at, char c) {
  return pattern[at] == '*' && (c != '/' || IsDeep(pattern, at));
}

}  // namespace

// Follows all matching prefixes of the pattern at once. The time is at most the length of the
// pattern times the length of the name.
bool MatchesPattern(std::string_view pattern, std::string_view repository) {
  if (pattern == kEverything) return true;
  const size_t literal = pattern.find('*');
  if (literal == std::string_view::npos) return pattern == repository;
  if (pattern.size() > kMaxPatternBytes || !repository.starts_with(pattern.substr(0, literal))) {
    return false;
  }
  Matched matched;
  matched.set(literal);
  SkipStars(pattern, matched);
  for (const char c : repository.substr(literal)) {
    Matched next;
    for (size_t i = literal; i < pattern.size(); ++i) {
      if (!matched[i]) continue;
      if (StarMatches(pattern, i, c)) {
        next.set(i);
      } else if (pattern[i] == c) {
        next.set(i + 1);
      }
    }
    SkipStars(pattern, next);
    if (next.none()) return false;
    matched = next;
  }
  return matched[pattern.size()];
}

// meet[i][j] is set if some text matches the first i bytes of `one` and the first j bytes of
// `other`. Each step moves past a star, past two equal characters, or past a character of one
// pattern that a star of the other pattern matches.
bool PatternsOverlap(std::string_view one, std::string_view other) {
  if (one.size() > kMaxPatternBytes || other.size() > kMaxPatternBytes) return false;
  std::vector<Matched> meet(one.size() + 1);
  meet[0].set(0);
  for (size_t i = 0; i <= one.size(); ++i) {
    for (size_t j = 0; j <= other.size(); ++j) {
      if (!meet[i][j]) continue;
      const bool more = i < one.size();
      const bool others_more = j < other.size();
      if (more && one[i] == '*') meet[i + 1].set(j);
      if (others_more && other[j] == '*') meet[i].set(j + 1);
      if (!more || !others_more) continue;
      if (one[i] != '*' && one[i] == other[j]) meet[i + 1].set(j + 1);
      if (other[j] != '*' && StarMatches(one, i, other[j])) meet[i].set(j + 1);
      if (one[i] != '*' && StarMatches(other, j, one[i])) meet[i + 1].set(j);
    }
  }
  return meet[one.size()][other.size()];
}

}  // namespace outport
