#include "store/retention/retention.h"

#include <array>
#include <ctime>

#include "registry/records/rows.h"
#include "registry/service/pull_recorder.h"
#include "store/content/pulls.h"
#include "store/content/tag_history.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kLastOne =
    "policies:\n"
    "  - name: ci\n"
    "    repositories: [\"ci/*\"]\n"
    "    keep:\n"
    "      - {tags: \".*\", last_pushed: 1}\n";

class RetentionTest : public CollectorTest {
 protected:
  RetentionTest() : retention_(MakeParts()) { static_cast<void>(collector->Step()); }

  Retention::Parts MakeParts() {
    return {.meta = *store.meta,
            .clock = store.clock,
            .store_clock = store.store_clock,
            .times = store.times,
            .collector = **collector,
            .log = Log::Nowhere(),
            .nodes_without_report = [this] { return missing_; }};
  }
  void Apply(const std::string& yaml) {
    v1::ApplyPoliciesRequest request;
    request.set_yaml(yaml);
    const auto applied = retention_.Apply(request, kAdministrator);
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
  }
  // Pushes images of their own, an hour apart.
  void Push(const std::string& repository, const std::vector<std::string>& tags) {
    for (const std::string& tag : tags) {
      store.clock.Advance(hours(1));
      ASSERT_TRUE(store.PushImage(repository, tag, {"layer of " + repository + tag}).has_value());
    }
  }
  void Pull(const std::string& repository, const std::string& tag) {
    const outport::Pull pull{.repository = RepositoryName::Parse(repository).value(),
                             .reference = ParseReference(tag).value(),
                             .time_ms = store.store_clock.NowMs()};
    const auto written =
        WritePulls(*store.meta, {pull}, "", MetaTransaction::Durability::kBuffered);
    ASSERT_TRUE(written.has_value());
  }
  v1::RetentionPlan Plan(const v1::GetRetentionPlanRequest& request = {}) {
    auto plan = retention_.GetPlan(request);
    EXPECT_TRUE(plan.has_value()) << plan.error().message;
    return plan.has_value() ? *std::move(plan) : v1::RetentionPlan();
  }
  static std::vector<std::string> Texts(const v1::RetentionPlan& plan) {
    std::vector<std::string> texts;
    for (const v1::RetentionItem& item : plan.items()) {
      texts.push_back((item.keep() ? "keep " : "drop ") + PlaceOf(item) + " by " + item.policy() +
                      ": " + item.rule());
    }
    return texts;
  }
  Result<v1::RunRow> Start(const std::string& plan = "") {
    collector->Step();  // renews the lease
    v1::StartRetentionRequest request;
    request.set_plan(plan);
    return retention_.StartRun(request, kAdministrator);
  }
  v1::RunRow Run(const std::string& plan = "") {
    const auto started = Start(plan);
    EXPECT_TRUE(started.has_value()) << started.error().message;
    if (!started.has_value()) return {};
    EXPECT_EQ(started->kind(), v1::RUN_KIND_RETENTION);
    collector->Work();
    v1::GetRunRequest request;
    request.set_id(started->id());
    return (*collector)->GetRun(request).value_or(v1::RunRow());
  }

  std::vector<std::string> missing_;
  Retention retention_;
};

TEST_F(RetentionTest, WithoutPoliciesEverythingStays) {
  Push("ci/app", {"1", "2"});
  EXPECT_EQ(retention_.Get()->at_ms(), 0);
  EXPECT_THAT(Texts(Plan()), IsEmpty());
  EXPECT_EQ(Run().removed().tags(), 0u);
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
  EXPECT_TRUE(retention_.StartRun(request, kAdministrator).has_value());
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

// The tag by which tools find the signature of an image without the API for referrers.
std::string SignatureTag(const Digest& subject) { return "sha256-" + subject.hex() + ".sig"; }

TEST_F(RetentionTest, ATaggedReferrerStaysWithItsSubject) {
  Apply(kLastOne);
  Push("ci/app", {"1"});
  const Digest subject = Sha256(ImageManifest({"layer of ci/app1"}));
  Push("ci/app", {SignatureTag(subject)});
  ASSERT_TRUE(store.PushBlob("ci/app", "{}").has_value());
  ASSERT_TRUE(store.PushManifest("ci/app", "sbom", ImageManifest({"{}"}, SubjectJson(subject)))
                  .has_value());
  Push("ci/app", {"2"});
  EXPECT_THAT(Texts(Plan()), ElementsAre("drop ci/app:1 by ci: no condition holds: entry 1",
                                         "keep ci/app:2 by ci: entry 1: last_pushed 1",
                                         "keep ci/app:sbom by ci: its subject is in the repository",
                                         "keep ci/app:" + SignatureTag(subject) +
                                             " by ci: its subject is in the repository"));
  EXPECT_EQ(Run().removed().tags(), 1u);
  EXPECT_TRUE(HasManifest("ci/app", "sbom"));
  EXPECT_TRUE(HasManifest("ci/app", SignatureTag(subject)));
  // Without their subject they are tags like others.
  ASSERT_TRUE(store.DeleteManifest("ci/app", subject.ToString()).has_value());
  EXPECT_EQ(Run().removed().tags(), 2u);
  EXPECT_FALSE(HasManifest("ci/app", "sbom"));
  EXPECT_FALSE(HasManifest("ci/app", SignatureTag(subject)));
  EXPECT_TRUE(HasManifest("ci/app", "2"));
  ExpectConsistent();
}

TEST_F(RetentionTest, ATaggedReferrerDoesNotKeepItsSubject) {
  Apply(std::string(kLastOne) + "    untagged: {keep_for: 1h}\n");
  Push("ci/app", {"1"});
  const Digest subject = Sha256(ImageManifest({"layer of ci/app1"}));
  Push("ci/app", {SignatureTag(subject)});
  ASSERT_TRUE(store.PushBlob("ci/app", "{}").has_value());
  ASSERT_TRUE(store.PushManifest("ci/app", "sbom", ImageManifest({"{}"}, SubjectJson(subject)))
                  .has_value());
  Push("ci/app", {"2"});
  EXPECT_EQ(Run().removed().tags(), 1u);
  store.clock.Advance(hours(37));
  EXPECT_EQ(Run().removed().manifests(), 1u);
  EXPECT_FALSE(HasManifest("ci/app", subject.ToString()));
  EXPECT_EQ(Plan().dropped_tags(), 2u) << "its referrers are tags like others now";
}

TEST_F(RetentionTest, ASubjectThatComesDuringTheRunKeepsItsReferrers) {
  Apply(kLastOne);
  const Digest subject = Sha256(ImageManifest({"layer of ci/app3"}));
  Push("ci/app", {SignatureTag(subject), "2"});
  ASSERT_EQ(Plan().dropped_tags(), 1u);
  ASSERT_TRUE(Start().has_value());
  Push("ci/app", {"3"});
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", SignatureTag(subject)));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
}

TEST_F(RetentionTest, ThePlanHasTheManyReferrersOfARemovedSubject) {
  constexpr size_t kReferrers = 300;  // more than the removal makes candidates of
  Apply("policies:\n  - {name: ci, repositories: [ci/app], untagged: {keep_for: 7d}}\n");
  const std::string image = ImageManifest({"config"});
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"config"}).has_value());
  for (size_t i = 0; i < kReferrers; ++i) {
    const std::string extra =
        SubjectJson(Sha256(image)) + R"(,"annotations":{"n":")" + std::to_string(i) + "\"}";
    ASSERT_TRUE(store.PushTagged("ci/app", ImageManifest({"config"}, extra), {}).has_value());
  }
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u) << "they are no candidates now";
  ASSERT_TRUE((*collector)->Pause({}, kAdministrator).has_value());
  ASSERT_TRUE(store.DeleteManifest("ci/app", Sha256(image).ToString()).has_value());
  store.clock.Advance(hours(6 * 24));
  EXPECT_EQ(Plan().dropped_manifests(), 0u);
  store.clock.Advance(hours(25));
  const v1::RetentionPlan plan = Plan();
  EXPECT_EQ(plan.dropped_manifests(), kReferrers);
  ASSERT_TRUE((*collector)->Resume({}, kAdministrator).has_value());
  EXPECT_EQ(Run(plan.plan()).removed().manifests(), kReferrers);
  ExpectConsistent();
}

TEST_F(RetentionTest, APausedCollectorRunsNoRetention) {
  Apply(kLastOne);
  Push("ci/app", {"1", "2"});
  ASSERT_TRUE((*collector)->Pause({}, kAdministrator).has_value());
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
  ASSERT_TRUE((*collector)->Pause({}, kAdministrator).has_value());
  retention_.RunIfDue();
  store.clock.Advance(minutes(6));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  ASSERT_TRUE((*collector)->Resume({}, kAdministrator).has_value());
  store.clock.Advance(minutes(11));
  retention_.RunIfDue();
  collector->Work();
  EXPECT_FALSE(HasManifest("ci/app", "1"));
}

}  // namespace
}  // namespace outport::store
