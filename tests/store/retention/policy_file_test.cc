#include "store/retention/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "store/retention/policy_cache.h"

namespace outport::store {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const std::string& yaml) {
  const auto parsed = ParsePolicies(yaml, "f.yml");
  EXPECT_FALSE(parsed.has_value()) << yaml;
  if (parsed.has_value()) return "";
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  return parsed.error().message;
}

TEST(PolicyFileTest, EveryKeyIsRead) {
  const auto parsed = ParsePolicies(R"(
policies:
  - name: ci-images
    repositories: ["ci/*", nightly]
    keep:
      - tags: 'v\d.*'
      - tags: ".*"
        pushed_within: 30d
        pulled_within: 14d
        last_pushed: 10
        last_pulled: 5
        newest_semver_per_minor: 3
    untagged: {keep_for: 7d}
  - name: rest
    repositories: ["**"]
schedule: "03:00"
)",
                                    "f.yml");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->schedule(), "03:00");
  ASSERT_EQ(parsed->policies_size(), 2);
  const v1::RetentionPolicy& policy = parsed->policies(0);
  EXPECT_EQ(policy.name(), "ci-images");
  EXPECT_EQ(policy.repositories_size(), 2);
  ASSERT_EQ(policy.keep_size(), 2);
  EXPECT_EQ(policy.keep(0).tags(), "v\\d.*");
  EXPECT_EQ(policy.keep(0).pushed_within_ms(), 0);
  const v1::RetentionKeep& entry = policy.keep(1);
  EXPECT_EQ(entry.pushed_within_ms(), 30 * 86'400'000LL);
  EXPECT_EQ(entry.pulled_within_ms(), 14 * 86'400'000LL);
  EXPECT_EQ(entry.last_pushed(), 10u);
  EXPECT_EQ(entry.last_pulled(), 5u);
  EXPECT_EQ(entry.newest_semver_per_minor(), 3u);
  EXPECT_EQ(policy.untagged_keep_for_ms(), 7 * 86'400'000LL);
  EXPECT_FALSE(parsed->policies(1).has_untagged_keep_for_ms());
}

TEST(PolicyFileTest, AnEmptyListKeepsEverything) {
  const auto parsed = ParsePolicies("policies: []\n", "f.yml");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->policies_size(), 0);
  EXPECT_THAT(ErrorOf(""), HasSubstr("policies"));
  EXPECT_THAT(ErrorOf("schedule: \"03:00\"\n"), HasSubstr("is missing"));
}

TEST(PolicyFileTest, AProblemNamesItsLine) {
  EXPECT_THAT(ErrorOf("policies:\n  - name: a\n    repositories: [x]\n    kep: []\n"),
              HasSubstr("f.yml:4: unknown key 'policies[0].kep'"));
  EXPECT_THAT(ErrorOf("policies:\n  - name: a\n    repositories: [x]\n    keep:\n"
                      "      - tags: '('\n"),
              HasSubstr("f.yml:5: 'policies[0].keep[0].tags': '(' is not a regular expression"));
  EXPECT_THAT(ErrorOf("policies:\n  - name: a\n    repositories: [x]\n    keep:\n"
                      "      - tags: x\n        last_pushed: 0\n"),
              HasSubstr("f.yml:6: "));
}

TEST(PolicyFileTest, ATimeThatIsShorterThanTheRecordOfPullsIsRejected) {
  const std::string before =
      "policies:\n  - name: a\n    repositories: [x]\n    keep:\n      - tags: x\n";
  for (const char* time : {"1ms", "59m", "0s"}) {
    EXPECT_THAT(
        ErrorOf(before + "        pulled_within: " + time + "\n"),
        HasSubstr(
            "f.yml:6: 'policies[0].keep[0].pulled_within': must be at least 1h, because the store "
            "records a pull of a tag at most once an hour; write for example 14d"))
        << time;
  }
  EXPECT_TRUE(ParsePolicies(before + "        pulled_within: 1h\n", "f.yml").has_value());
}

TEST(PolicyFileTest, AllProblemsComeAtOnce) {
  const std::string error =
      ErrorOf("policies:\n  - name: Bad Name\n    repositories: ['/x']\nschedule: 25:00\n");
  EXPECT_THAT(error, HasSubstr("f.yml:2: "));
  EXPECT_THAT(error, HasSubstr("f.yml:3: "));
  EXPECT_THAT(error, HasSubstr("f.yml:4: 'schedule': '25:00' is not a time of day"));
}

TEST(PolicyFileTest, WhatIsIncompleteOrTooMuchIsRejected) {
  EXPECT_THAT(ErrorOf("policies: x\n"), HasSubstr("must be a list"));
  EXPECT_THAT(ErrorOf("policies: [x]\n"), HasSubstr("must be a mapping"));
  EXPECT_THAT(ErrorOf("policies:\n  - name: a\n"), HasSubstr("must list the repositories"));
  EXPECT_THAT(ErrorOf("policies:\n  - name: a\n    repositories: [x]\n    keep: [{}]\n"),
              HasSubstr("keep[0].tags' is missing"));
  EXPECT_THAT(ErrorOf("policies:\n  - name: a\n    repositories: [x]\n    untagged: {}\n"),
              HasSubstr("keep_for"));
  EXPECT_THAT(ErrorOf("policies:\n  - {name: a, repositories: [x]}\n"
                      "  - {name: a, repositories: [y]}\n"),
              HasSubstr("f.yml:3: "));
  EXPECT_THAT(ErrorOf("a: [\n"), HasSubstr("not YAML"));
  EXPECT_THAT(ErrorOf("policies: []\n---\npolicies: []\n"), HasSubstr(":2: a second document"));
  EXPECT_THAT(ErrorOf(std::string(kMaxPolicyFileBytes + 1, ' ')), HasSubstr("64 KiB"));
  std::string many = "policies:\n";
  for (size_t i = 0; i <= kMaxPolicies; ++i) {
    many += "  - {name: p" + std::to_string(i) + ", repositories: [x]}\n";
  }
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 100"));
}

TEST(PolicyFileTest, APatternWithAHugeProgramIsRejected) {
  TagPatterns patterns(PolicySource::kFile);
  EXPECT_FALSE(patterns.Compile("((a{100}){100}){100}").has_value());
  EXPECT_FALSE(patterns.Compile("[^a]{700}").has_value());
  for (const char* text : {"v\\d+", ".*", "v?\\d+\\.\\d+\\.\\d+-rc.*", "\\pL+", ".{1,128}"}) {
    EXPECT_TRUE(patterns.Compile(text).has_value()) << text;
  }
  EXPECT_EQ(patterns.Compile(".*").value(), patterns.Compile(".*").value());
}

TEST(PolicyFileTest, PatternsThatAreTooLargeTogetherAreRejected) {
  std::string same = "policies:\n  - name: a\n    repositories: [x]\n    keep:\n";
  std::string different = same;
  std::string large = same;
  for (int i = 0; i < 50; ++i) {
    same += "      - tags: '\\pL{3}'\n";
    different += "      - tags: '\\pL{3}" + std::to_string(i) + "'\n";
    large += "      - tags: '[^a]{700}" + std::to_string(i) + "'\n";
  }
  EXPECT_TRUE(ParsePolicies(same, "f.yml").has_value());
  const std::string error = ErrorOf(different);
  EXPECT_THAT(error, HasSubstr("the patterns of the file are too large together"));
  EXPECT_FALSE(error.contains('\n')) << "the first pattern over the limit is the last problem";
  const std::string errors = ErrorOf(large);
  EXPECT_THAT(errors, HasSubstr("f.yml:5: 'policies[0].keep[0].tags': '[^a]{700}0' is too large"));
  EXPECT_LT(std::ranges::count(errors, '\n'), 20);
}

TEST(PolicyFileTest, TheAppliedPoliciesAreCompiledOnce) {
  const std::string yaml = "policies: [{name: a, repositories: [x], keep: [{tags: v.*}]}]\n";
  PolicyCache cache;
  const auto first = cache.Find(yaml);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ((*first)->compiled.size(), 1u);
  EXPECT_TRUE(cache.Check("policies: []\n", "f.yml").has_value());
  EXPECT_EQ(cache.Find(yaml).value(), *first);
  EXPECT_NE(cache.Find("policies: []\n").value(), *first);
}

TEST(PolicyFileTest, AScheduleIsAMinuteOfTheDay) {
  EXPECT_EQ(MinuteOfSchedule("00:00"), 0);
  EXPECT_EQ(MinuteOfSchedule("23:59"), 1439);
  for (const char* text : {"", "24:00", "3:00", "03:60", "03-00", "ab:cd"}) {
    EXPECT_EQ(MinuteOfSchedule(text), -1) << text;
  }
}

}  // namespace
}  // namespace outport::store
