#include "outport/v1/record.pb.h"
#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The collector works on between a plan and its run. The store has an untagged image and a blob
// without references, and both are due.
class PlannedRunTest : public CollectorTest {
 protected:
  PlannedRunTest() {
    EXPECT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
    EXPECT_TRUE(store.PushImage("a", "v1", {"config", "other"}).has_value());
    EXPECT_TRUE(store.PushBlob("a", "orphan").has_value());
    collector->StepAndPause();
    store.clock.Advance(hours(37));
    plan_ = collector->Plan(true);
    EXPECT_EQ(plan_.counts().links(), 1u);
    EXPECT_EQ(plan_.counts().manifests(), 1u);
    collector->Resume();
  }
  static Result<v1::RunRow> Start(TestCollector& collector, const std::string& plan) {
    static_cast<void>(collector.Step());  // acquires the lease
    return collector.StartPlan(plan);
  }
  v1::RunRow Run() { return collector->Finish(Start(*collector, plan_.plan())); }
  std::string Refusal(TestCollector& collector) {
    const auto started = Start(collector, plan_.plan());
    EXPECT_EQ(CodeOf(started), ErrorCode::kFailedPrecondition);
    return started.has_value() ? "" : started.error().message;
  }
  // Returns whether the plan's link is there.
  bool HasOrphan() { return HasRow(*store.meta, keys::Link(Repo("a"), Sha256("orphan"))).value(); }

  const std::string untagged_ = ImageManifest({"config", "layer"});
  const std::string manifest_ = "manifest a@" + Sha256(untagged_).ToString();
  v1::GetPlanResponse plan_;
};

TEST_F(PlannedRunTest, ItemsThatTheCollectorRemovedDoNotEndThePlan) {
  collector->Work();
  ASSERT_FALSE(HasOrphan());
  const v1::RunRow run = Run();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.planned().links(), 1u);
  EXPECT_EQ(run.gone(), 1u);
  EXPECT_EQ(run.kept(), 0u);
  EXPECT_EQ(run.removed().links(), 0u);
  EXPECT_EQ(run.removed().manifests(), 1u);
  EXPECT_FALSE(HasManifest("a", Sha256(untagged_).ToString()));
}

TEST_F(PlannedRunTest, AManifestThatAClientDeletedIsGone) {
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(untagged_).ToString()).has_value());
  collector->Work();
  const v1::RunRow run = Run();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.gone(), 2u);
}

TEST_F(PlannedRunTest, AnItemThatIsInUseAgainEndsThePlan) {
  collector->Work();
  ASSERT_TRUE(store.PushManifest("a", "again", untagged_).has_value());
  const std::string refusal = Refusal(*collector);
  EXPECT_THAT(refusal, HasSubstr("the plan no longer holds: " + manifest_ + " is in use again"));
  EXPECT_THAT(refusal, Not(HasSubstr("other items")));
  EXPECT_TRUE(HasManifest("a", "again"));
}

TEST_F(PlannedRunTest, ALinkThatAClientPushedAgainEndsThePlan) {
  collector->Work();
  ASSERT_FALSE(HasOrphan());
  ASSERT_TRUE(store.PushBlob("a", "orphan").has_value());
  EXPECT_THAT(Refusal(*collector), HasSubstr(Sha256("orphan").ToString() + " is in use again"));
  EXPECT_TRUE(HasOrphan());
}

TEST_F(PlannedRunTest, ItemsThatGoWhileTheRunWaitsAreGoneToo) {
  collector->Pause();
  static_cast<void>(collector->Step());  // acquires the lease, and removes nothing
  collector->Resume();
  const auto started = collector->StartPlan(plan_.plan());
  ASSERT_TRUE(started.has_value()) << started.error().message;
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(untagged_).ToString()).has_value());
  ASSERT_TRUE(store.DeleteBlob("a", "orphan").has_value());
  const v1::RunRow run = collector->Finish(started);
  EXPECT_EQ(run.gone(), 2u);
  EXPECT_EQ(run.removed().links(), 0u);
  EXPECT_EQ(run.removed().manifests(), 0u);
  EXPECT_EQ(run.kept(), 0u);
}

TEST_F(PlannedRunTest, AnotherProcessRunsThePlanOnlyIfNothingHasChanged) {
  (*collector)->Stop();
  TestCollector other(store);  // does not remember the plan, as after a restart
  other.Work();                // removes the link
  const std::string refusal = Refusal(other);
  EXPECT_THAT(refusal, HasSubstr("the store has restarted since"));
  EXPECT_THAT(refusal, Not(HasSubstr("in use again")));
  const std::string plan = other.Plan(true).plan();
  other->Stop();
  TestCollector third(store);
  third.Work();
  EXPECT_TRUE(Start(third, plan).has_value());
}

TEST_F(PlannedRunTest, AStartThatMakesThePlanAgainWritesThePullsOnce) {
  (*collector)->Stop();
  int flushes = 0;
  TestCollector other(store, {}, {.flush_pulls = [&] {
                        ++flushes;
                        return Result<void>();
                      }});
  other.Pause();
  static_cast<void>(other.Step());  // acquires the lease, and removes nothing
  other.Resume();
  const auto started = other.StartPlan(plan_.plan());
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(flushes, 1);
  static_cast<void>(other.Plan());
  EXPECT_EQ(flushes, 2);
}

TEST_F(PlannedRunTest, AMissingReportOfPullsIsTheReason) {
  collector->nodes_without_report = {"eu-west"};
  const std::string refusal = Refusal(*collector);
  EXPECT_THAT(refusal, HasSubstr("node eu-west has not reported its recent pulls"));
  EXPECT_TRUE(HasManifest("a", Sha256(untagged_).ToString()));
  (*collector)->Stop();
  TestCollector other(store);
  other.nodes_without_report = {"eu-west"};
  other.Work();
  EXPECT_THAT(Refusal(other), HasSubstr("node eu-west has not reported its recent pulls"));
}

TEST_F(PlannedRunTest, APlanWithoutManifestsNeedsNoReport) {
  collector->nodes_without_report = {"eu-west"};
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_EQ(plan.counts().manifests(), 0u);
  EXPECT_THAT(plan.nodes_without_report(), ElementsAre("eu-west"));
  const auto started = Start(*collector, plan.plan());
  EXPECT_TRUE(started.has_value()) << started.error().message;
}

class WithinTest : public CollectorTest {
 protected:
  v1::GetPlanResponse Plan(hours within) {
    v1::GetPlanRequest request;
    request.mutable_options()->set_within_ms(std::chrono::milliseconds(within).count());
    const auto plan = (*collector)->GetPlan(request);
    EXPECT_TRUE(plan.has_value()) << plan.error().message;
    return plan.value_or(v1::GetPlanResponse());
  }
};

TEST_F(WithinTest, ShowsTheLinksThatAreDueUntilThen) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"used"}).has_value());
  ASSERT_TRUE(store.PushBlob("a", "first").has_value());
  store.clock.Advance(hours(10));
  ASSERT_TRUE(store.PushBlob("a", "second").has_value());
  EXPECT_THAT(Plan(hours(20)).items(), IsEmpty());
  const v1::GetPlanResponse plan = Plan(hours(27));
  EXPECT_THAT(ItemsOf(plan), ElementsAre("link a@" + Sha256("first").ToString()));
  EXPECT_EQ(plan.items(0).reason(), v1::PLAN_REASON_UNREFERENCED);
  EXPECT_EQ(plan.freed_bytes(), 5u);
  const auto in_26_hours = store.store_clock.NowMs() + 26 * 3'600'000;
  EXPECT_EQ(plan.items(0).due_ms(), in_26_hours);
  EXPECT_EQ(plan.waiting(), 1u) << "of the second one";
  EXPECT_EQ(Plan(hours(37)).counts().links(), 2u);
  EXPECT_EQ(Plan(hours(37)).waiting(), 0u);
}

TEST_F(WithinTest, ATouchBeginsTheGracePeriodAnew) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(35) + std::chrono::minutes(30));
  ASSERT_TRUE(store.content->blobs.Touch(Repo("a"), Sha256("layer")).has_value());
  EXPECT_THAT(Plan(hours(2)).items(), IsEmpty());
  const v1::GetPlanResponse plan = Plan(hours(37));
  ASSERT_EQ(plan.items_size(), 1);
  EXPECT_EQ(plan.items(0).due_ms(), store.store_clock.NowMs() + 36 * 3'600'000);
}

TEST_F(WithinTest, NobodyCanRunSuchAPlan) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  static_cast<void>(collector->Step());
  v1::StartRunRequest request;
  request.set_plan(Plan(hours(40)).plan());
  v1::StartRunRequest without_plan;
  without_plan.mutable_options()->set_within_ms(1);
  for (const auto& each : {request, without_plan}) {
    const auto started = (*collector)->StartRun(each, kAdministrator);
    ASSERT_EQ(CodeOf(started), ErrorCode::kInvalidArgument);
    EXPECT_THAT(started.error().message, HasSubstr("a plan with --within cannot be run"));
  }
  EXPECT_TRUE(HasBlob("a", "layer"));
}

TEST_F(WithinTest, TheNameOfThePlanCarriesTheTime) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  v1::GetPlanRequest request;
  request.set_plan(Plan(hours(40)).plan());
  TestCollector other(store);  // makes the plan again
  const auto plan = other->GetPlan(request);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->items_size(), 1);
}

TEST_F(WithinTest, RefusesTimesOutOfBounds) {
  for (const int64_t within_ms : {int64_t{-1}, int64_t{1} << 60}) {
    v1::GetPlanRequest request;
    request.mutable_options()->set_within_ms(within_ms);
    const auto plan = (*collector)->GetPlan(request);
    ASSERT_EQ(CodeOf(plan), ErrorCode::kInvalidArgument) << within_ms;
    EXPECT_EQ(plan.error().message, "--within is a time from 0s to 8784h (366 days)");
  }
}

}  // namespace
}  // namespace outport::store
