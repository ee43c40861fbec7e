#include "registry/security/grants/pattern.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace outport {
namespace {

struct Match {
  const char* pattern;
  const char* repository;
  bool matches;
};

TEST(Pattern, MatchesByLevel) {
  constexpr Match kCases[] = {
      {"**", "a", true},
      {"**", "a/b/c", true},
      {"*", "a", true},
      {"*", "a/b", false},
      {"team/app", "team/app", true},
      {"team/app", "team/app2", false},
      {"team/app", "team/ap", false},
      {"team/*", "team/app", true},
      {"team/*", "team/app/x", false},
      {"team/*", "team", false},
      {"team/*", "teams/app", false},
      {"team/**", "team/app", true},
      {"team/**", "team/app/x/y", true},
      {"team/**", "team", false},
      {"team/**", "other/team/app", false},
      {"**/app", "team/app", true},
      {"**/app", "a/b/app", true},
      {"**/app", "app", false},
      {"team-*/app", "team-a/app", true},
      {"team-*/app", "team-a/b/app", false},
      {"team-*/**/x", "team-a/b/c/x", true},
      {"*/*", "a/b", true},
      {"*/*", "a/b/c", false},
      {"a*b*c", "axxbxxc", true},
      {"a*b*c", "axxb/xc", false},
      {"a**b*c", "a/x/bxxc", true},
      {"a**b*c", "a/bx/bxxc", true},
      {"a**b*c", "a/bx/c", false},
  };
  for (const Match& c : kCases) {
    EXPECT_EQ(MatchesPattern(c.pattern, c.repository), c.matches)
        << c.pattern << " " << c.repository;
  }
}

TEST(Pattern, StaysFastForHostilePatterns) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "**a*";
  pattern += "c";
  const std::string repository = std::string(254, 'a') + "b";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(MatchesPattern(pattern, repository));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

struct Meeting {
  const char* one;
  const char* other;
  bool meet;
};

TEST(Pattern, OverlapsWhenSomeNameMatchesBoth) {
  constexpr Meeting kCases[] = {
      {"**", "team/app", true},       {"team/*", "team/app", true},
      {"team/*", "team/**", true},    {"team/*", "*/app", true},
      {"team/*", "other/*", false},   {"team/**", "**/app", true},
      {"team/*", "team/a/b", false},  {"team/*", "*", false},
      {"team/*", "*/*/*", false},     {"a*c", "ab*", true},
      {"a*c", "*d", false},           {"team-*/app", "team/app", false},
      {"team/app", "team/app", true}, {"team/app", "team/ap", false},
      {"**/secret", "team/*", true},  {"**/secret", "team/app", false},
  };
  for (const Meeting& c : kCases) {
    EXPECT_EQ(PatternsOverlap(c.one, c.other), c.meet) << c.one << " " << c.other;
    EXPECT_EQ(PatternsOverlap(c.other, c.one), c.meet) << c.other << " " << c.one;
  }
}

// All texts of at most `size` characters from the alphabet.
std::vector<std::string> Texts(std::string_view characters, size_t size) {
  std::vector<std::string> texts = {""};
  for (size_t at = 0, of_size = 0; of_size < size; ++of_size) {
    for (const size_t end = texts.size(); at < end; ++at) {
      for (const char c : characters) texts.push_back(texts[at] + c);
    }
  }
  return texts;
}

TEST(Pattern, OverlapsExactlyWhenSomeTextMatchesBoth) {
  const std::vector<std::string> patterns = Texts("a/*", 4);
  const std::vector<std::string> names = Texts("a/", 7);
  for (const std::string& one : patterns) {
    for (const std::string& other : patterns) {
      bool shown = false;
      for (size_t i = 0; i < names.size() && !shown; ++i) {
        shown = MatchesPattern(one, names[i]) && MatchesPattern(other, names[i]);
      }
      ASSERT_EQ(PatternsOverlap(one, other), shown) << one << " " << other;
    }
  }
}

}  // namespace
}  // namespace outport
