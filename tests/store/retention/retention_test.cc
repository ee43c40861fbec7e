#include "store/retention/retention.h"

#include <array>
#include <ctime>

#include "registry/records/rows.h"
#include "store/content/tag_history.h"
#include "store/retention/repository_tags.h"
#include "tests/store/gc/watched_stores.h"
#include "tests/store/retention/retention_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(RetentionTest, WithoutPoliciesEverythingStays) {
  Push("ci/app", {"1", "2"});
  EXPECT_EQ(retention_.Get()->at_ms(), 0);
  EXPECT_THAT(Texts(Plan()), IsEmpty());
  const auto refused = Start();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("there are no policies"));
  EXPECT_EQ((*collector)->ListRuns({})->runs_size(), 0);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
}

TEST_F(RetentionTest, AnInvalidFileChangesNothing) {
  Apply(kLastOne);
  v1::ApplyPoliciesRequest request;
  request.set_yaml("polices: []\n");
  request.set_file_name("r.yml");
  const auto applied = retention_.Apply(request, kAdministrator);
  ASSERT_FALSE(applied.has_value());
  EXPECT_THAT(applied.error().message, HasSubstr("r.yml:1: "));
  EXPECT_EQ(retention_.Get()->yaml(), kLastOne);
  EXPECT_EQ(retention_.Get()->by(), "root");
}

TEST_F(RetentionTest, ThePlanNamesTheRuleOfEveryTag) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  Push("other/app", {"1"});
  const v1::RetentionPlan plan = Plan();
  EXPECT_THAT(Texts(plan), ElementsAre("drop ci/app:1 by ci: no condition holds: entry 1",
                                       "keep ci/app:2 by ci: entry 1: last_pushed 1"));
  EXPECT_EQ(plan.repositories(), 1u);
  EXPECT_EQ(plan.kept_tags(), 1u);
  EXPECT_EQ(plan.dropped_tags(), 1u);
  EXPECT_GE(plan.freed_bytes(), std::string("layer of ci/app1").size());
  EXPECT_EQ(plan.freed_bytes(), plan.items(0).freed_bytes());
}

TEST_F(RetentionTest, TheFirstPolicyThatMatchesApplies) {
  Apply(
      "policies:\n"
      "  - {name: exempt, repositories: [ci/app]}\n"
      "  - {name: ci, repositories: [\"ci/*\"], keep: [{tags: .*, last_pushed: 1}]}\n");
  Push("ci/app", {"1", "2"});
  Push("ci/lib", {"1", "2"});
  EXPECT_EQ(Run().removed().tags(), 1u);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  EXPECT_FALSE(HasManifest("ci/lib", "1"));
}

TEST_F(RetentionTest, PagesContinueAndMayLeaveOutWhatStays) {
  Apply(kLastOne);
  Push("ci/a", {"1", "2", "3"});
  Push("ci/b", {"1", "2"});
  v1::GetRetentionPlanRequest request;
  request.set_limit(2);
  std::vector<std::string> places;
  for (;;) {
    const v1::RetentionPlan page = Plan(request);
    for (const v1::RetentionItem& item : page.items()) places.push_back(PlaceOf(item));
    if (page.next().empty()) break;
    request.set_plan(page.plan());
    request.set_after(page.next());
  }
  EXPECT_THAT(places, ElementsAre("ci/a:1", "ci/a:2", "ci/a:3", "ci/b:1", "ci/b:2"));
  v1::GetRetentionPlanRequest drops;
  drops.set_only_drops(true);
  EXPECT_EQ(Plan(drops).items_size(), 3);
}

TEST_F(RetentionTest, ARunDeletesTagsAndAnUndoRestoresThem) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  const v1::RunRow run = Run(Plan().plan());
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(run.planned().tags(), 1u);
  EXPECT_EQ(run.removed().tags(), 1u);
  EXPECT_FALSE(HasManifest("ci/app", "1"));
  const auto events =
      TagHistory(*store.meta).Of(RepositoryName::Parse("ci/app").value(), Tag::Parse("1").value());
  ASSERT_TRUE(events.has_value());
  EXPECT_EQ(events->front().why(), "retention ci");
  EXPECT_EQ(collector->Undo(run.id()).state(), v1::RUN_STATE_UNDONE);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  ExpectConsistent();
}

TEST_F(RetentionTest, OtherTagsOfTheDigestStay) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: old, pushed_within: 1h}]}\n");
  ASSERT_TRUE(store.PushImage("ci/app", "old", {"layer"}).has_value());
  ASSERT_TRUE(store.PushImage("ci/app", "kept", {"layer"}).has_value());
  store.clock.Advance(hours(2));
  const v1::RetentionPlan plan = Plan();
  EXPECT_EQ(plan.dropped_tags(), 1u);
  EXPECT_EQ(plan.freed_bytes(), 0u);
  EXPECT_EQ(Run().removed().tags(), 1u);
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasManifest("ci/app", "kept"));
  EXPECT_TRUE(HasBlob("ci/app", "layer"));
}

TEST_F(RetentionTest, APlanThatNoLongerHoldsIsRefused) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  const std::string plan = Plan().plan();
  Push("ci/app", {"3"});
  const auto run = Start(plan);
  ASSERT_FALSE(run.has_value());
  EXPECT_EQ(run.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(run.error().message, HasSubstr("no longer holds"));
  const std::string again = Plan().plan();
  Apply(std::string(kLastOne) + "schedule: \"03:00\"\n");
  EXPECT_FALSE(Start(again).has_value());
}

TEST_F(RetentionTest, ATagThatMovesDuringTheRunStays) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  ASSERT_TRUE(Start().has_value());
  Push("ci/app", {"1"});  // the same content: the tag keeps its time
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"another layer"}).has_value());
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
  EXPECT_EQ(collector->LastRun().removed().tags(), 0u);
}

TEST_F(RetentionTest, APullKeepsATag) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 10h}]}\n");
  Push("ci/app", {"1", "2", "3"});
  store.clock.Advance(hours(20));
  Pull("ci/app", "1");
  EXPECT_EQ(Plan().dropped_tags(), 2u);
  ASSERT_TRUE(Start().has_value());
  store.clock.Advance(hours(2));
  Pull("ci/app", "2");  // after the run has begun
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  EXPECT_TRUE(HasManifest("ci/app", "2"));
  EXPECT_FALSE(HasManifest("ci/app", "3"));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
}

// The report of a node arrives while the run searches for pulls, before it locks the tag.
TEST_F(RetentionTest, APullDuringTheSearchKeepsATag) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 10h}]}\n");
  Push("ci/app", {"1", "2"});
  store.clock.Advance(hours(20));
  WatchedMeta meta(*store.meta);
  collector = std::make_unique<TestCollector>(store, Collector::Limits(),
                                              TestCollector::Devices{.meta = &meta});
  Retention retention(MakeParts());
  static_cast<void>(collector->Step());
  ASSERT_TRUE(retention.StartRun({}, kAdministrator).has_value());
  const Digest digest = Sha256(ImageManifest({"layer of ci/app1"}));
  int searches = 0;
  meta.on_scan = [&](const ScanRange& range) {
    const bool of_tag = range.prefix == keys::ReferencesTo(digest, Repo("ci/app"));
    if (of_tag && searches++ == 0) Pull("ci/app", "1");
  };
  collector->Work();
  EXPECT_EQ(searches, 1);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  EXPECT_FALSE(HasManifest("ci/app", "2"));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
  collector.reset();  // before the metadata that it uses
}

TEST_F(RetentionTest, ARepositoryWhosePullsCostTooMuchIsTooLarge) {
  Push("ci/app", {"1", "2", "3"});
  const RepositoryName repository = Repo("ci/app");
  PullSearch enough(*store.meta, repository);
  const auto facts = ReadTagFacts(*store.meta, repository, &enough);
  ASSERT_TRUE(facts.has_value() && facts->has_value());
  EXPECT_EQ((*facts)->size(), 3u);
  PullSearch little(*store.meta, repository, {.all_mentions = 5});
  EXPECT_EQ(ReadTagFacts(*store.meta, repository, &little).value(), std::nullopt);
}

// The search reads 32 indexes, so nobody knows whether a later one, or its image, was pulled.
TEST_F(RetentionTest, ATagAndAManifestWithTooManyRelativesStay) {
  const std::string few = ImageManifest({"few"});
  ASSERT_TRUE(store.PushImage("ci/app", "base", {"few"}).has_value());
  std::vector<std::string> inner;
  for (int i = 0; i < 40; ++i) {
    inner.push_back(OuterIndex({IndexManifest({few})}, std::to_string(i)));
  }
  ASSERT_TRUE(store.PushTagged("ci/app", IndexManifest({few}), {}).has_value());
  for (const std::string& index : inner) {
    ASSERT_TRUE(store.PushTagged("ci/app", index, {}).has_value());
  }
  ASSERT_TRUE(store.PushTagged("ci/app", OuterIndex(inner), {"tagged"}).has_value());
  ASSERT_TRUE(store.PushTagged("ci/app", OuterIndex(inner, "not"), {"moved"}).has_value());
  ASSERT_TRUE(store.PushTagged("ci/app", few, {"moved"}).has_value());
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: tagged, pulled_within: 10h}],\n"
      "     untagged: {keep_for: 10h}}\n");
  store.clock.Advance(hours(100));
  const v1::RetentionPlan plan = Plan();
  EXPECT_EQ(plan.dropped_tags(), 0u);
  EXPECT_EQ(plan.dropped_manifests(), 0u);
  EXPECT_THAT(Texts(plan),
              testing::Contains("keep ci/app:tagged by ci: entry 1: too many related manifests to "
                                "know the last pull"));
  EXPECT_EQ(Run().removed().tags(), 0u);
}

TEST_F(RetentionTest, AMissingReportStopsOnlyPoliciesThatLookAtPulls) {
  missing_ = {"eu-west"};
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  EXPECT_EQ(Plan().nodes_without_report_size(), 0);
  EXPECT_EQ(Run().removed().tags(), 1u);
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, last_pulled: 1}]}\n");
  EXPECT_EQ(Plan().nodes_without_report_size(), 1);
  const auto refused = Start();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("--ignore-node eu-west"));
  v1::StartRetentionRequest request;
  request.mutable_options()->add_ignore_nodes("eu-west");
  EXPECT_THAT(retention_.StartRun(request, kAdministrator).error().message,
              HasSubstr("there is no node 'eu-west'"));
  ASSERT_TRUE(Transact(*store.meta, [](MetaTransaction& transaction) {
                return WriteRow(transaction, keys::Node("eu-west"), v1::NodeRow());
              }).has_value());
  EXPECT_TRUE(retention_.StartRun(request, kAdministrator).has_value());
}

TEST_F(RetentionTest, APlanThatIgnoresANodeHoldsAfterTheNodeIsRemoved) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  const std::string node = keys::Node("eu-west");
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return WriteRow(transaction, node, v1::NodeRow());
              }).has_value());
  v1::GetRetentionPlanRequest request;
  request.mutable_options()->add_ignore_nodes("eu-west");
  const std::string plan = Plan(request).plan();
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return transaction.Delete(node);
              }).has_value());
  EXPECT_EQ(CodeOf(retention_.GetPlan(request)), ErrorCode::kNotFound) << "a new plan";
  EXPECT_EQ(Run(plan).removed().tags(), 1u);
}

TEST_F(RetentionTest, UntaggedManifestsGoAfterTheirTime) {
  Apply("policies:\n  - {name: ci, repositories: [ci/app], untagged: {keep_for: 7d}}\n");
  const auto pushed = store.PushImage("ci/app", "1", {"first"});
  ASSERT_TRUE(pushed.has_value());
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"second"}).has_value());
  const std::string digest = pushed->digest.ToString();
  store.clock.Advance(hours(6 * 24));
  EXPECT_EQ(Plan().dropped_manifests(), 0u);
  store.clock.Advance(hours(25));
  const v1::RetentionPlan plan = Plan();
  ASSERT_EQ(plan.dropped_manifests(), 1u);
  EXPECT_GE(plan.freed_bytes(), std::string("first").size());
  EXPECT_EQ(Run(plan.plan()).removed().manifests(), 1u);
  EXPECT_FALSE(HasManifest("ci/app", digest));
  EXPECT_TRUE(HasManifest("ci/app", "1"));
}

TEST_F(RetentionTest, CorruptRowsOfUntaggedManifestsHoldUpNoPlan) {
  Apply("policies:\n  - {name: ci, repositories: [ci/app], untagged: {keep_for: 7d}}\n");
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"first"}).has_value());
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"second"}).has_value());
  const auto transaction = store.meta->Begin();
  for (const std::string& key : {keys::Orphaned(Repo("ci/app"), Sha256("removed")),
                                 keys::Untagged(Repo("ci/app"), Sha256("untagged"))}) {
    ASSERT_TRUE(transaction->Put(key, "\xff").has_value());
  }
  ASSERT_TRUE(transaction->Commit().has_value());
  store.clock.Advance(hours(8 * 24));
  const v1::RetentionPlan plan = Plan();
  EXPECT_EQ(plan.dropped_manifests(), 1u);
  EXPECT_EQ(Run(plan.plan()).removed().manifests(), 1u);
}

TEST_F(RetentionTest, ACorruptUntaggedManifestHoldsUpNoPlan) {
  Apply("policies:\n  - {name: ci, repositories: [ci/app], untagged: {keep_for: 7d}}\n");
  const auto corrupt = store.PushImage("ci/app", "1", {"first"});
  ASSERT_TRUE(corrupt.has_value());
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"second"}).has_value());
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"third"}).has_value());
  store.clock.Advance(hours(8 * 24));
  EXPECT_EQ(Plan().dropped_manifests(), 2u);
  collector->Work();  // also scans all rows once
  const auto transaction = store.meta->Begin();
  ASSERT_TRUE(
      transaction->Put(keys::ManifestOf(Repo("ci/app"), corrupt->digest), "\xff").has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  const v1::RetentionPlan plan = Plan();
  EXPECT_EQ(plan.dropped_manifests(), 1u);
  EXPECT_EQ(Run(plan.plan()).removed().manifests(), 1u);
}

TEST_F(RetentionTest, APausedCollectorRunsNoRetention) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  collector->Pause();
  const auto run = Start();
  ASSERT_FALSE(run.has_value());
  EXPECT_THAT(run.error().message, HasSubstr("paused"));
}

TEST_F(RetentionTest, TheScheduleStartsOneRunADay) {
  Push("ci/app", {"1", "2", "3"});
  const auto in_ten_minutes = store.clock.Wall() + minutes(10);
  const std::time_t time = std::chrono::system_clock::to_time_t(in_ten_minutes);
  std::tm local{};
  ::localtime_r(&time, &local);
  std::array<char, 8> text{};
  ASSERT_GT(std::strftime(text.data(), text.size(), "%H:%M", &local), 0u);
  Apply(std::string(kLastOne) + "schedule: \"" + text.data() + "\"\n");
  const auto runs = [this] { return collector->Runs().size(); };
  retention_.RunIfDue();
  store.clock.Advance(minutes(5));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_EQ(runs(), 0u);
  store.clock.Advance(minutes(6));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_EQ(runs(), 1u);
  EXPECT_EQ(collector->LastRun().removed().tags(), 2u);
  store.clock.Advance(hours(1));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_EQ(runs(), 1u);
  store.clock.Advance(hours(23));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_EQ(runs(), 2u);
}

TEST_F(RetentionTest, AScheduledRunThatCannotStartIsTriedAgain) {
  Push("ci/app", {"1", "2"});
  const std::time_t time = std::chrono::system_clock::to_time_t(store.clock.Wall() + minutes(5));
  std::tm local{};
  ::localtime_r(&time, &local);
  std::array<char, 8> text{};
  ASSERT_GT(std::strftime(text.data(), text.size(), "%H:%M", &local), 0u);
  Apply(std::string(kLastOne) + "schedule: \"" + text.data() + "\"\n");
  collector->Pause();
  retention_.RunIfDue();
  store.clock.Advance(minutes(6));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  collector->Resume();
  store.clock.Advance(minutes(11));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_FALSE(HasManifest("ci/app", "1"));
}

// Restored tags are as old as they were: they do not take the place of newer ones.
TEST_F(RetentionTest, AfterAnUndoTheNewestTagsStillStay) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2", "3"});
  const v1::RunRow run = Run();
  ASSERT_EQ(run.removed().tags(), 2u);
  store.clock.Advance(hours(1));
  ASSERT_EQ(collector->Undo(run.id()).restored().tags(), 2u);
  EXPECT_THAT(Texts(Plan()), ElementsAre("drop ci/app:1 by ci: no condition holds: entry 1",
                                         "drop ci/app:2 by ci: no condition holds: entry 1",
                                         "keep ci/app:3 by ci: entry 1: last_pushed 1"));
}

}  // namespace
}  // namespace outport::store
