#include "store/content/pulls.h"

#include <utility>

#include "tests/store/retention/retention_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;

constexpr int64_t kHourMs = 3'600'000;

// Sets the minute of the hour, so that a test knows which pulls the store writes down.
void AdvanceToMinute(TestContent& store, int64_t minute) {
  const int64_t now_ms = store.store_clock.NowMs();
  const int64_t wait_ms = (minute * 60'000 - now_ms % kHourMs + kHourMs) % kHourMs;
  store.clock.Advance(std::chrono::milliseconds(wait_ms));
}

// The store writes down the first pull of an hour only.
TEST_F(RetentionTest, ASecondPullInTheSameHourKeepsATag) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 1h}]}\n");
  Push("ci/app", {"1"});
  store.clock.Advance(hours(20));
  AdvanceToMinute(store, 5);
  Pull("ci/app", "1");
  AdvanceToMinute(store, 58);
  Pull("ci/app", "1");
  store.clock.Advance(std::chrono::minutes(12));
  EXPECT_EQ(Plan().dropped_tags(), 0u);
  EXPECT_EQ(Run().removed().tags(), 0u);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  store.clock.Advance(hours(3));
  EXPECT_EQ(Run().removed().tags(), 1u);
}

TEST_F(RetentionTest, APullAfterThePlanKeepsATagThatWasPulledInTheSameHour) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, last_pulled: 1}]}\n");
  Push("ci/app", {"1", "2"});
  store.clock.Advance(hours(20));
  AdvanceToMinute(store, 5);
  Pull("ci/app", "1");
  AdvanceToMinute(store, 20);
  Pull("ci/app", "2");
  AdvanceToMinute(store, 30);
  const v1::RetentionPlan plan = Plan();
  AdvanceToMinute(store, 50);
  Pull("ci/app", "1");
  EXPECT_EQ(Run(plan.plan()).removed().tags(), 0u);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  // Later the order of the pulls is certain, and so is what a pull after the plan changes.
  store.clock.Advance(hours(4));
  Pull("ci/app", "2");
  EXPECT_EQ(Plan().dropped_tags(), 1u);
  ASSERT_TRUE(Start().has_value());
  store.clock.Advance(std::chrono::minutes(1));
  Pull("ci/app", "1");
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
}

// A client pulls at this store a moment before the plan, and again before the run.
TEST_F(RetentionTest, PullsThatAreNotYetWrittenCount) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 10h}]}\n");
  Push("ci/app", {"1", "2"});
  store.clock.Advance(hours(20));
  std::vector<std::string> unwritten;
  Retention retention = WithFlush([&] {
    for (const std::string& tag : std::exchange(unwritten, {})) Pull("ci/app", tag);
    return Result<void>();
  });
  unwritten = {"1"};
  EXPECT_EQ(retention.GetPlan({})->dropped_tags(), 1u);
  unwritten = {"2"};
  ASSERT_TRUE(retention.StartRun({}, kAdministrator).has_value());
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", "1"));
  EXPECT_TRUE(HasManifest("ci/app", "2"));
}

// A plan that does not know the last pulls could delete what a client has just pulled.
TEST_F(RetentionTest, PullsThatCannotBeWrittenRefuseThePlanAndTheRun) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 10h}]}\n");
  const auto deleted = store.PushImage("ci/app", "1", {"deleted"});
  ASSERT_TRUE(deleted.has_value());
  ASSERT_TRUE(store.DeleteManifest("ci/app", deleted->digest.ToString()).has_value());
  Push("ci/app", {"2"});
  store.clock.Advance(hours(20));
  Result<void> flushed;
  Retention retention = WithFlush([&] { return flushed; });
  const std::string plan = retention.GetPlan({})->plan();
  flushed = Error{ErrorCode::kNoSpace, "the disk is full"};
  const std::string refused =
      "the store could not write the last pulls of its clients, so nobody knows what is still "
      "pulled: the disk is full; free space or check the disk of the metadata, then try again";
  EXPECT_EQ(retention.GetPlan({}).error().message, refused);
  EXPECT_EQ(retention.StartRun({}, kAdministrator).error().message, refused);
  v1::StartRetentionRequest request;
  request.set_plan(plan);
  EXPECT_EQ(retention.StartRun(request, kAdministrator).error().message, refused);
  EXPECT_EQ((*collector)->GetPlan({}).error().message, refused);
  EXPECT_EQ((*collector)->StartRun({}, kAdministrator).error().message, refused);
  const auto runs = (*collector)->ListRuns({});
  ASSERT_EQ(runs->runs_size(), 1) << "only the deletion by a client";
  EXPECT_EQ(collector->Undo(runs->runs(0).id()).restored().tags(), 1u)
      << "an undo deletes nothing, so it needs no pulls";
  flushed = {};
  EXPECT_TRUE(retention.StartRun({}, kAdministrator).has_value());
}

TEST_F(RetentionTest, APulledTagThatAnUndoBringsBackStays) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 30d}]}\n");
  Push("ci/app", {"1"});
  store.clock.Advance(hours(24 * 90));
  Pull("ci/app", "1");
  store.clock.Advance(hours(24));
  const Digest digest = Sha256(ImageManifest({"layer of ci/app1"}));
  ASSERT_TRUE(store.DeleteManifest("ci/app", digest.ToString()).has_value());
  store.clock.Advance(hours(1));
  const auto runs = (*collector)->ListRuns({});
  ASSERT_EQ(runs->runs_size(), 1);
  ASSERT_EQ(collector->Undo(runs->runs(0).id()).restored().tags(), 1u);
  EXPECT_EQ(Run().removed().tags(), 0u);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
}

}  // namespace
}  // namespace outport::store
