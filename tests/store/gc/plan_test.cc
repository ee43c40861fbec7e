#include <algorithm>
#include <iterator>

#include "outport/v1/record.pb.h"
#include "registry/records/rows.h"
#include "store/content/pulls.h"
#include "store/gc/paged_plan.h"
#include "store/gc/plan_name.h"
#include "store/gc/recent_plans.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string LinkItem(const std::string& repository, const std::string& bytes) {
  return "link " + repository + "@" + Sha256(bytes).ToString();
}
std::string ManifestItem(const std::string& repository, const std::string& body) {
  return "manifest " + repository + "@" + Sha256(body).ToString();
}

// The collector is paused, so that due links stay for the plan.
class PlanTest : public CollectorTest {
 protected:
  PlanTest() { collector->StepAndPause(); }
  v1::RunRow RunPlan(const std::string& plan) {
    collector->Resume();
    return collector->Finish(collector->StartPlan(plan));
  }
  Error Refusal(const std::string& plan) {
    collector->Resume();
    const auto started = collector->StartPlan(plan);
    collector->Pause();
    EXPECT_FALSE(started.has_value());
    return started.has_value() ? Error{} : started.error();
  }
};

TEST_F(PlanTest, ShowsWhatIsDueAndChangesNothing) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store.PushBlob("b", "12345678").has_value());
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  EXPECT_THAT(collector->Plan().items(), IsEmpty());
  EXPECT_EQ(collector->Plan().waiting(), 2u);
  EXPECT_GT(collector->Plan().next_due_ms(), store.store_clock.NowMs());
  store.clock.Advance(hours(37));
  const uint64_t head = store.Head();
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_THAT(ItemsOf(plan),
              testing::UnorderedElementsAre(LinkItem("a", "layer"), LinkItem("b", "12345678")));
  EXPECT_EQ(plan.freed_bytes(), 13u);
  EXPECT_EQ(plan.counts().blobs(), 2u);
  EXPECT_EQ(plan.waiting(), 0u);
  EXPECT_EQ(plan.items(0).reason(), v1::PLAN_REASON_UNREFERENCED);
  EXPECT_EQ(store.Head(), head);
  EXPECT_TRUE(HasBlob("a", "layer"));
}

TEST_F(PlanTest, CountsSharedBytesOnceAndOnlyIfAllGo) {
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(store.PushBlob(name, "shared").has_value());
    ASSERT_TRUE(store.PushBlob(name, "partly").has_value());
  }
  ASSERT_TRUE(store.PushManifest("b", "v1", ImageManifest({"partly"})).has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan();
  EXPECT_EQ(plan.counts().links(), 3u);
  EXPECT_EQ(plan.counts().blobs(), 1u);
  EXPECT_EQ(plan.freed_bytes(), 6u) << "the bytes of 'shared', once";
}

TEST_F(PlanTest, ManifestsShowTheBytesThatGoLater) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "own layer"}).has_value());
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "x"}).has_value());
  const std::string old = ImageManifest({"config", "own layer"});
  store.clock.Advance(hours(37));
  EXPECT_THAT(collector->Plan(false).items(), IsEmpty());
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_THAT(ItemsOf(plan), ElementsAre(ManifestItem("a", old)));
  EXPECT_EQ(plan.items(0).reason(), v1::PLAN_REASON_UNTAGGED);
  EXPECT_EQ(plan.freed_later_bytes(), 9u) << "the config stays";
  EXPECT_EQ(plan.freed_bytes(), 9u + old.size());
}

TEST_F(PlanTest, AGlobLimitsThePlan) {
  ASSERT_TRUE(store.PushBlob("team/a", "1").has_value());
  ASSERT_TRUE(store.PushBlob("team/b", "2").has_value());
  ASSERT_TRUE(store.PushBlob("other", "3").has_value());
  store.clock.Advance(hours(37));
  EXPECT_EQ(collector->Plan(false, "team/*").items_size(), 2);
  EXPECT_EQ(collector->Plan(false, "other").items_size(), 1);
  EXPECT_EQ(collector->Plan(false, "").items_size(), 3);
}

TEST_F(PlanTest, ARunDoesExactlyThePlan) {
  ASSERT_TRUE(store.PushBlob("team/a", "1").has_value());
  ASSERT_TRUE(store.PushBlob("other", "3").has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan(false, "team/*");
  const v1::RunRow run = RunPlan(plan.plan());
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.kind(), v1::RUN_KIND_REQUESTED);
  EXPECT_EQ(run.by(), "root");
  EXPECT_EQ(run.planned().links(), 1u);
  EXPECT_EQ(run.removed().links(), 1u);
  EXPECT_EQ(run.kept(), 0u);
  EXPECT_FALSE(HasBlob("team/a", "1"));
}

TEST_F(PlanTest, APlanThatNoLongerHoldsIsRefusedWithTheFirstDifference) {
  ASSERT_TRUE(store.PushBlob("a", "1").has_value());
  ASSERT_TRUE(store.PushBlob("a", "2").has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan();
  ASSERT_TRUE(store.PushManifest("a", "v1", ImageManifest({"1"})).has_value());
  const Error refusal = Refusal(plan.plan());
  EXPECT_EQ(refusal.code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refusal.message, HasSubstr(LinkItem("a", "1") + " is in use again"));
  EXPECT_TRUE(HasBlob("a", "2"));
}

TEST_F(PlanTest, ATouchEndsAPlanToo) {
  ASSERT_TRUE(store.PushBlob("a", "1").has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan();
  ASSERT_TRUE(store.content->blobs.Touch(Repo("a"), Sha256("1")).has_value());
  EXPECT_EQ(Refusal(plan.plan()).code, ErrorCode::kFailedPrecondition);
}

TEST_F(PlanTest, WhatBecomesDueAfterAPlanDoesNotEndIt) {
  ASSERT_TRUE(store.PushBlob("a", "1").has_value());
  store.clock.Advance(hours(1));
  ASSERT_TRUE(store.PushBlob("a", "2").has_value());
  store.clock.Advance(hours(35) + std::chrono::minutes(30));
  const v1::GetPlanResponse plan = collector->Plan();
  EXPECT_THAT(ItemsOf(plan), ElementsAre(LinkItem("a", "1")));
  store.clock.Advance(hours(1));
  const v1::RunRow run = RunPlan(plan.plan());
  EXPECT_EQ(run.removed().links(), 1u);
}

TEST_F(PlanTest, APlanIsMadeOnceAndReadInPages) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  store.clock.Advance(hours(37));
  v1::GetPlanRequest request;
  request.set_limit(3);
  const auto first = (*collector)->GetPlan(request);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->items_size(), 3);
  // A plan that was made again would not have this item.
  ASSERT_TRUE(store.PushManifest("a", "v1", ImageManifest({"4"})).has_value());
  request.set_plan(first->plan());
  request.set_offset(3);
  const auto second = (*collector)->GetPlan(request);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ(second->counts().links(), 5u);
  EXPECT_EQ(second->freed_bytes(), 5u);
  std::vector<std::string> items = ItemsOf(*first);
  std::ranges::copy(ItemsOf(*second), std::back_inserter(items));
  EXPECT_THAT(items, testing::UnorderedElementsAre(LinkItem("a", "0"), LinkItem("a", "1"),
                                                   LinkItem("a", "2"), LinkItem("a", "3"),
                                                   LinkItem("a", "4")));
  EXPECT_EQ(Refusal(first->plan()).code, ErrorCode::kFailedPrecondition);
}

TEST_F(PlanTest, AStoreThatDoesNotRememberAPlanMakesItAgain) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  store.clock.Advance(hours(37));
  v1::GetPlanRequest request;
  request.set_plan(collector->Plan().plan());
  request.set_offset(3);
  TestCollector other(store);  // as after a restart
  ASSERT_TRUE(other->GetPlan(request).has_value());
  EXPECT_EQ(other->GetPlan(request)->items_size(), 2);
  ASSERT_TRUE(store.PushManifest("a", "v1", ImageManifest({"4"})).has_value());
  EXPECT_TRUE(other->GetPlan(request).has_value()) << "now it remembers the plan";
  TestCollector third(store);
  EXPECT_EQ(CodeOf(third->GetPlan(request)), ErrorCode::kFailedPrecondition);
}

TEST_F(PlanTest, TheStoreRemembersAFewPlans) {
  RecentPlans<PagedPlan> plans(Planner::kMaxItems);
  const auto add = [&plans](const std::string& name, size_t items) {
    Plan plan;
    plan.name = name;
    const PlannedItem item{.shown = {}, .content = {Repo("a"), Sha256("1")}};
    plan.items.assign(items, item);
    plans.Add(std::make_shared<const PagedPlan>(plan));
  };
  for (size_t i = 0; i <= RecentPlans<PagedPlan>::kMaxPlans; ++i) add(std::to_string(i), 1);
  EXPECT_EQ(plans.Find("0"), nullptr) << "there are too many plans";
  EXPECT_NE(plans.Find("1"), nullptr);
  add("many", Planner::kMaxItems - 2);
  EXPECT_EQ(plans.Find("6"), nullptr) << "there are too many items";
  EXPECT_NE(plans.Find("7"), nullptr);
  EXPECT_NE(plans.Find("8"), nullptr);
  EXPECT_EQ(plans.Find("many")->size(), Planner::kMaxItems - 2);
  add("8", 2);
  add("new", 1);
  EXPECT_EQ(plans.Find("many"), nullptr)
      << "plan 8 took the place of its former self, as a later one";
  EXPECT_EQ(plans.Find("8")->size(), 2u);
}

TEST_F(PlanTest, NamesThePullsThatARunWouldBreak) {
  const std::string bodies[] = {ImageManifest({"1"}), ImageManifest({"2"}), ImageManifest({"3"})};
  for (const char* blob : {"1", "2", "3"}) {
    ASSERT_TRUE(store.PushImage("a", "v1", {blob}).has_value());
  }
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  store.clock.Advance(hours(24 * 30));
  const auto pull = [&](const std::string& body, hours ago, const std::string& node) {
    const int64_t time_ms = store.store_clock.NowMs() - std::chrono::milliseconds(ago).count();
    const auto written = WritePulls(*store.meta, {{Repo("a"), Sha256(body), time_ms}}, node,
                                    MetaTransaction::Durability::kSynced);
    EXPECT_EQ(written->rows, 1u);
    return time_ms;
  };
  pull(bodies[0], hours(24 * 8), "eu-west");
  const int64_t last_ms = pull(bodies[1], hours(2), "us-east");
  pull(bodies[2], hours(3), "");
  v1::GetPlanRequest request;
  request.mutable_options()->set_delete_untagged(true);
  request.set_limit(1);
  const auto plan = (*collector)->GetPlan(request);
  ASSERT_EQ(plan->counts().manifests(), 3u);
  EXPECT_EQ(plan->recently_pulled(), 2u) << "of all items, whatever the page";
  EXPECT_EQ(plan->last_pulled_ms(), last_ms);
  EXPECT_EQ(plan->last_pulled_at(), "us-east");
}

// Counts what a plan reads.
class CountingView final : public MetaView {
 public:
  explicit CountingView(const MetaView& view) : view_(view) {}
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    ++reads;
    return view_.Get(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    auto rows = view_.Scan(range);
    reads += 1 + (rows.has_value() ? rows->size() : 0);
    return rows;
  }
  Result<LogPosition> Head() const override { return view_.Head(); }
  Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                         size_t limit_bytes) const override {
    return view_.ReadLog(from, limit, limit_bytes);
  }
  Result<LogPosition> AuditHead() const override { return view_.AuditHead(); }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                           size_t limit_bytes) const override {
    return view_.ReadAudit(from, limit, limit_bytes);
  }
  mutable size_t reads = 0;

 private:
  const MetaView& view_;
};

TEST_F(PlanTest, TheCostFollowsTheGarbageAndNotTheSizeOfTheStore) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  ASSERT_TRUE(store.PushImage("a", "moves", {"old"}).has_value());
  ASSERT_TRUE(store.PushImage("a", "moves", {"new"}).has_value());
  store.clock.Advance(hours(37));
  v1::PlanOptions options;
  options.set_delete_untagged(true);
  const auto reads = [&] {
    const auto snapshot = store.meta->Snapshot();
    const CountingView view(*snapshot);
    const auto plan = Planner(view, store.times, options, store.store_clock.NowMs()).Make({});
    EXPECT_EQ(plan->items.size(), 4u);
    return view.reads;
  };
  const size_t of_small_store = reads();
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(store.PushImage("a", "v" + number, {"config", "layer " + number}).has_value());
  }
  EXPECT_EQ(reads(), of_small_store);
}

TEST_F(PlanTest, ItemsThatAreInUseAgainWhenTheirTurnComesAreKept) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan();
  collector->Resume();
  v1::StartRunRequest request;
  request.set_plan(plan.plan());
  ASSERT_TRUE((*collector)->StartRun(request, kAdministrator).has_value());
  ASSERT_TRUE(store.PushManifest("a", "v1", ImageManifest({"7"})).has_value());
  collector->Work();
  const v1::RunRow run = collector->LastRun();
  EXPECT_EQ(run.removed().links(), 99u);
  EXPECT_EQ(run.kept(), 1u);
  EXPECT_TRUE(HasBlob("a", "7"));
}

TEST_F(PlanTest, WhileANodeOwesItsReportOfPullsNoManifestIsPlanned) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  store.clock.Advance(hours(37));
  const auto view = store.meta->Snapshot();
  v1::PlanOptions options;
  options.set_delete_untagged(true);
  const auto planned = [&] {
    return *Planner(*view, store.times, options, store.store_clock.NowMs())
                .Make({"eu-west", "us-east"});
  };
  EXPECT_THAT(planned().items, IsEmpty());
  EXPECT_THAT(planned().nodes_without_report, ElementsAre("eu-west", "us-east"));
  options.add_ignore_nodes("eu-west");
  EXPECT_THAT(planned().nodes_without_report, ElementsAre("us-east"));
  options.add_ignore_nodes("us-east");
  EXPECT_EQ(planned().items.size(), 1u);
}

TEST_F(PlanTest, CountsOnlyTheWaitingLinksOfItsRepositories) {
  ASSERT_TRUE(store.PushBlob("other", "first").has_value());
  store.clock.Advance(hours(1));
  ASSERT_TRUE(store.PushBlob("team/app", "second").has_value());
  EXPECT_EQ(collector->Plan().waiting(), 2u);
  const v1::GetPlanResponse plan = collector->Plan(false, "team/**");
  EXPECT_EQ(plan.waiting(), 1u);
  EXPECT_EQ(plan.next_due_ms(), collector->Plan().next_due_ms() + 3'600'000);
  EXPECT_EQ(collector->Plan(false, "empty/**").next_due_ms(), 0);
}

TEST_F(PlanTest, SaysThatNoRepositoryMatches) {
  ASSERT_TRUE(store.PushImage("team/app", "v1", {"config"}).has_value());
  for (const char* glob : {"team/aap", "team/app/**", "app", "team/app2", "*"}) {
    EXPECT_TRUE(collector->Plan(false, glob).no_repository()) << glob;
  }
  for (const char* glob : {"", "team/app", "team/*", "**", "**/app"}) {
    EXPECT_FALSE(collector->Plan(false, glob).no_repository()) << glob;
  }
}

TEST(PlanNameTest, SurvivesItsText) {
  PlanName name;
  name.as_of_ms = 1'790'000'000'000;
  name.items = 12;
  name.hash = HashOfItems({"b", "a"});
  name.options.set_delete_untagged(true);
  name.options.set_repositories("team/**");
  const auto parsed = PlanName::Parse(name.ToString());
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->ToString(), name.ToString());
  EXPECT_EQ(parsed->options.repositories(), "team/**");
  EXPECT_EQ(HashOfItems({"a", "b"}), name.hash) << "the order does not matter";
}

TEST(PlanNameTest, TellsTheKindOfThePlan) {
  PlanName name{
      .as_of_ms = 1'790'000'000'000, .items = 1, .hash = HashOfItems({"a"}), .options = {}};
  EXPECT_FALSE(PlanName::Parse(name.ToString())->RequireKind(PlanKind::kRetention).has_value());
  name.kind = PlanKind::kRetention;
  const auto parsed = PlanName::Parse(name.ToString());
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->ToString(), name.ToString());
  EXPECT_TRUE(parsed->RequireKind(PlanKind::kRetention).has_value());
  const Result<void> refused = parsed->RequireKind(PlanKind::kCollection);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("'outportctl retention run --plan' runs it"));
}

TEST(PlanNameTest, RejectsOtherTexts) {
  for (const char* text : {"", "-", "x", "0000000000000000", "000001a0c5a5c000-1-",
                           "000001a0c5a5c000-x-00000000000000000000000000000000",
                           "000001a0c5a5c000-1-00000000000000000000000000000000-zz"}) {
    EXPECT_EQ(CodeOf(PlanName::Parse(text)), ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace outport::store
