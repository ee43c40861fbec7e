#include "store/retention/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "store/content/pulls.h"

namespace outport::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kNowMs = 1000 * kDayMs;

v1::RetentionKeep Entry(const std::string& tags) {
  v1::RetentionKeep entry;
  entry.set_tags(tags);
  return entry;
}

TagFacts Fact(const std::string& name, int64_t pushed_days_ago, int64_t pulled_days_ago = -1) {
  TagFacts tag{.name = Tag::Parse(name).value(),
               .digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(name))};
  tag.pushed_ms = kNowMs - pushed_days_ago * kDayMs;
  if (pulled_days_ago >= 0) tag.pulled_ms = kNowMs - pulled_days_ago * kDayMs;
  return tag;
}

std::vector<TagFacts> Named(const std::vector<std::string>& names) {
  std::vector<TagFacts> tags;
  for (const std::string& name : names) tags.push_back(Fact(name, 100));
  return tags;
}

std::vector<TagDecision> Decide(const std::vector<v1::RetentionKeep>& entries,
                                const std::vector<TagFacts>& tags) {
  v1::RetentionPolicy policy;
  policy.set_name("p");
  for (const v1::RetentionKeep& entry : entries) *policy.add_keep() = entry;
  const auto compiled = CompiledPolicy::Compile(policy);
  EXPECT_TRUE(compiled.has_value());
  return compiled->Evaluate(tags, kNowMs);
}

// Returns the names of the tags that go.
std::vector<std::string> Dropped(const std::vector<v1::RetentionKeep>& entries,
                                 const std::vector<TagFacts>& tags) {
  const std::vector<TagDecision> decisions = Decide(entries, tags);
  std::vector<std::string> names;
  for (size_t i = 0; i < tags.size(); ++i) {
    if (!decisions[i].keep) names.push_back(tags[i].name.ToString());
  }
  return names;
}

TEST(EvaluationTest, WithoutEntriesEverythingStays) {
  EXPECT_THAT(Dropped({}, Named({"a", "b"})), IsEmpty());
}

TEST(EvaluationTest, APatternMatchesWholeTags) {
  v1::RetentionKeep entry = Entry("v\\d");
  entry.set_pushed_within_ms(kDayMs);
  EXPECT_THAT(Dropped({entry}, Named({"v1", "v12", "xv1"})), ElementsAre("v1"));
  const auto decisions = Decide({entry}, Named({"v1", "v12"}));
  EXPECT_EQ(decisions[0].rule, "no condition holds: entry 1");
  EXPECT_EQ(decisions[1].rule, "no entry matches");
}

TEST(EvaluationTest, AnEntryWithoutConditionsKeepsItsTags) {
  v1::RetentionKeep rest = Entry(".*");
  rest.set_pushed_within_ms(kDayMs);
  const auto tags = Named({"v1", "x"});
  EXPECT_THAT(Dropped({rest, Entry("v.*")}, tags), ElementsAre("x"));
  EXPECT_EQ(Decide({rest, Entry("v.*")}, tags)[0].rule, "entry 2: tags v.*");
}

TEST(EvaluationTest, PushedWithin) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_pushed_within_ms(30 * kDayMs);
  const std::vector<TagFacts> tags = {Fact("a", 29), Fact("b", 30), Fact("c", 31, 1)};
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("b", "c"));
  EXPECT_EQ(Decide({entry}, tags)[0].rule, "entry 1: pushed_within 30d");
}

TEST(EvaluationTest, PulledWithinCountsAPushAsAUse) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_pulled_within_ms(14 * kDayMs);
  const std::vector<TagFacts> tags = {Fact("a", 90, 13), Fact("b", 90, 15), Fact("c", 90),
                                      Fact("d", 1)};
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("b", "c"));
}

// The row of a pull may be older than the last pull, by less than kPullResolution.
TEST(EvaluationTest, APullCountsAtTheLatestTimeThatItMayHave) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_pulled_within_ms(kDayMs);
  std::vector<TagFacts> tags = {Fact("a", 90, 1), Fact("b", 90, 1)};
  tags[0].pulled_ms -= kPullResolution.count() - 1;
  tags[1].pulled_ms -= kPullResolution.count();
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("b"));
  entry.clear_pulled_within_ms();
  entry.set_last_pulled(1);
  tags = {Fact("a", 90, 1), Fact("b", 90, 1), Fact("c", 90, 1)};
  tags[1].pulled_ms -= kPullResolution.count();
  tags[2].pulled_ms -= kPullResolution.count() + 1;
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("c")) << "b may have been pulled as late as a";
}

TEST(EvaluationTest, LastPushedKeepsTagsOfTheSameTimeTogether) {
  v1::RetentionKeep entry = Entry("[a-d]");
  entry.set_last_pushed(2);
  const std::vector<TagFacts> tags = {Fact("a", 1), Fact("b", 2), Fact("c", 2), Fact("d", 3),
                                      Fact("other", 0)};
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("d"));
  entry.set_last_pushed(4);
  EXPECT_THAT(Dropped({entry}, tags), IsEmpty());
  entry.set_last_pushed(9);
  EXPECT_THAT(Dropped({entry}, tags), IsEmpty());
}

TEST(EvaluationTest, LastPulledKeepsNoTagWithoutAPull) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_last_pulled(2);
  const std::vector<TagFacts> tags = {Fact("a", 9, 1), Fact("b", 9, 2), Fact("c", 9, 3),
                                      Fact("d", 0)};
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("c", "d"));
  entry.set_last_pulled(10);
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("d"));
}

TEST(EvaluationTest, ATagWhosePullsAreNotAllKnownStaysIfItsEntryLooksAtPulls) {
  v1::RetentionKeep pulled = Entry("[ab]");
  pulled.set_pulled_within_ms(14 * kDayMs);
  v1::RetentionKeep pushed = Entry("[cd]");
  pushed.set_pushed_within_ms(14 * kDayMs);
  std::vector<TagFacts> tags = {Fact("a", 90, 20), Fact("b", 90, 20), Fact("c", 90), Fact("d", 90)};
  tags[0].pulls_known = false;
  tags[2].pulls_known = false;
  EXPECT_THAT(Dropped({pulled, pushed}, tags), ElementsAre("b", "c", "d"));
  EXPECT_EQ(Decide({pulled, pushed}, tags)[0].rule,
            "entry 1: too many related manifests to know the last pull");
  pulled.clear_pulled_within_ms();
  pulled.set_last_pulled(1);
  tags[1].pulled_ms += kDayMs;
  EXPECT_THAT(Dropped({pulled, pushed}, tags), ElementsAre("c", "d"));
}

TEST(EvaluationTest, NewestVersionsPerMinor) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_newest_semver_per_minor(2);
  const auto tags = Named({"1.0.0", "1.0.1", "v1.0.10", "1.0.9", "1.1.0", "v2.0.0", "main", "1.0"});
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("1.0.0", "1.0.1"));
  EXPECT_EQ(Decide({entry}, tags)[6].rule, "no entry matches");
}

TEST(EvaluationTest, ThePrefixAndTheBuildMakeNoOtherVersion) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_newest_semver_per_minor(1);
  EXPECT_THAT(Dropped({entry}, Named({"1.0.1", "v1.0.1", "1.0.1_b2", "1.0.0"})),
              ElementsAre("1.0.0"));
}

TEST(EvaluationTest, PreReleasesDriveOutNoRelease) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_newest_semver_per_minor(1);
  EXPECT_THAT(Dropped({entry}, Named({"1.0.0", "1.0.1-rc.1", "1.0.1-rc.2", "1.0.1-rc.10"})),
              ElementsAre("1.0.1-rc.1", "1.0.1-rc.2"));
}

TEST(EvaluationTest, WithAnotherConditionTagsThatAreNoVersionsAreJudged) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_newest_semver_per_minor(1);
  entry.set_pushed_within_ms(30 * kDayMs);
  EXPECT_THAT(Dropped({entry}, {Fact("1.0.0", 90), Fact("main", 1), Fact("old", 90)}),
              ElementsAre("old"));
}

TEST(EvaluationTest, OneEntryIsEnough) {
  v1::RetentionKeep young = Entry(".*");
  young.set_pushed_within_ms(kDayMs);
  v1::RetentionKeep versions = Entry("v.*");
  versions.set_last_pushed(1);
  const std::vector<TagFacts> tags = {Fact("v1", 9), Fact("v2", 8), Fact("x", 9)};
  EXPECT_THAT(Dropped({young, versions}, tags), ElementsAre("v1", "x"));
  EXPECT_EQ(Decide({young, versions}, tags)[0].rule, "no condition holds: entry 1, entry 2");
}

TEST(EvaluationTest, LatestStaysUnlessAPatternNamesIt) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_pushed_within_ms(kDayMs);
  EXPECT_THAT(Dropped({entry}, Named({"latest", "x"})), ElementsAre("x"));
  EXPECT_THAT(Decide({entry}, Named({"latest"}))[0].rule, HasSubstr("latest stays"));
  v1::RetentionKeep named = Entry("latest|edge");
  named.set_pushed_within_ms(kDayMs);
  EXPECT_THAT(Dropped({named}, Named({"latest", "x"})), ElementsAre("latest"));
  v1::RetentionKeep other = Entry("my-latest");  // does not match it
  other.set_pushed_within_ms(kDayMs);
  EXPECT_THAT(Dropped({entry, other}, Named({"latest"})), IsEmpty());
}

TEST(EvaluationTest, AProtectedTagStaysAndSoDoesAReferrer) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_pushed_within_ms(kDayMs);
  auto tags = Named({"a", "b", "c"});
  tags[0].protected_by = "releases";
  tags[1].has_subject = true;
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("c"));
  EXPECT_EQ(Decide({entry}, tags)[0].rule, "tag rule releases");
  EXPECT_THAT(Decide({entry}, tags)[1].rule, HasSubstr("subject"));
}

TEST(EvaluationTest, TagsOfReferrersTakeNoPlaceOfOtherTags) {
  v1::RetentionKeep entry = Entry(".*");
  entry.set_last_pushed(2);
  std::vector<TagFacts> tags = {Fact("v1", 3), Fact("v2", 2), Fact("v3", 1), Fact("sig2", 0),
                                Fact("sig3", 0)};
  for (TagFacts& tag : tags) tag.has_subject = tag.name.ToString().starts_with("sig");
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("v1"));
  entry.clear_last_pushed();
  entry.set_last_pulled(2);
  for (TagFacts& tag : tags) tag.pulled_ms = tag.pushed_ms;
  EXPECT_THAT(Dropped({entry}, tags), ElementsAre("v1"));
}

TEST(EvaluationTest, APolicySaysWhetherItLooksAtPulls) {
  v1::RetentionPolicy policy;
  *policy.add_keep() = Entry(".*");
  EXPECT_FALSE(CompiledPolicy::Compile(policy)->LooksAtPulls());
  policy.mutable_keep(0)->set_last_pulled(1);
  EXPECT_TRUE(CompiledPolicy::Compile(policy)->LooksAtPulls());
  policy.mutable_keep(0)->clear_last_pulled();
  policy.set_untagged_keep_for_ms(0);
  EXPECT_TRUE(CompiledPolicy::Compile(policy)->LooksAtPulls());
  EXPECT_FALSE(CompiledPolicy::Compile(policy)->LooksAtPulledTags());
}

}  // namespace
}  // namespace outport::store
