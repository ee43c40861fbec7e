#include <boost/json/parse.hpp>

#include "registry/base/clock.h"
#include "registry/records/keys.h"
#include "tests/control/fake_content.h"

namespace outport::control {
namespace {

namespace json = boost::json;

constexpr int64_t kHourMs = 3'600'000;

// What a plan says beyond its items: when they are due, and how exact its numbers are.
class GcPlanCommandTest : public ContentProgramTest {
 protected:
  GcPlanCommandTest() {
    v1::PlanItem& item = *gc_.plan.add_items();
    item.set_kind("link");
    item.set_repository("team/app");
    item.set_digest("sha256:" + std::string(64, '7'));
    item.set_reason(v1::PLAN_REASON_UNREFERENCED);
    item.set_since_ms(NowMs() - kHourMs - 1000);
    item.set_size_bytes(3 << 20);
    item.set_freed_bytes(3 << 20);
    gc_.plan.set_plan("5f0c2a9b");
    gc_.plan.set_freed_bytes(3 << 20);
    gc_.plan.mutable_counts()->set_links(1);
  }
  static int64_t NowMs() { return ToUnixMillis(std::chrono::system_clock::now()); }
  json::value Json(std::vector<std::string> words) {
    words.insert(words.begin(), {"-o", "json"});
    const Outcome outcome = Control(std::move(words));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return json::parse(outcome.out);
  }
  static bool Has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
};

TEST_F(GcPlanCommandTest, WithinShowsWhenEachLinkIsDue) {
  gc_.plan.mutable_items(0)->set_due_ms(NowMs() + 5 * kHourMs + 30'000);
  const std::string text = Control({"gc", "plan", "--within", "36h"}).out;
  ASSERT_EQ(gc_.plan_requests.size(), 1u);
  EXPECT_EQ(gc_.plan_requests[0].options().within_ms(), 36 * kHourMs);
  EXPECT_TRUE(Has(text, "SINCE    DUE     SIZE ")) << text;
  EXPECT_TRUE(Has(text, "1h ago   in 5h   3.0 MiB")) << text;
  EXPECT_TRUE(Has(text, "the collector removes each link by itself when it is due\n")) << text;
  EXPECT_FALSE(Has(text, "gc run")) << "nobody can run it: " << text;
}

TEST_F(GcPlanCommandTest, TheTimeWhenALinkIsDueAsJson) {
  gc_.plan.mutable_items(0)->set_due_ms(1'000'000);
  const json::value item = Json({"gc", "plan", "--within", "36h"}).at("items").at(0);
  EXPECT_EQ(item.at("due").as_string(), "1970-01-01T00:16:40.000Z");
}

TEST_F(GcPlanCommandTest, AnOrdinaryPlanHasNoColumnOfDueTimes) {
  gc_.plan.mutable_items(0)->set_due_ms(NowMs() - kHourMs);
  const std::string text = Control({"gc", "plan"}).out;
  EXPECT_FALSE(Has(text, "DUE")) << text;
  EXPECT_TRUE(Has(text, "run it: outportctl gc run --plan 5f0c2a9b")) << text;
}

// The clock of this machine may differ from the clock of the store by hours.
TEST_F(GcPlanCommandTest, TimesCountFromTheTimeOfThePlan) {
  const int64_t plan_ms = NowMs() - 100 * kHourMs;
  gc_.plan.set_plan(keys::TimeText(plan_ms) + "-1-" + std::string(32, 'a'));
  gc_.plan.mutable_items(0)->set_since_ms(plan_ms - 2 * kHourMs);
  gc_.plan.mutable_items(0)->set_due_ms(plan_ms + 5 * kHourMs);
  const std::string text = Control({"gc", "plan", "--within", "36h"}).out;
  EXPECT_TRUE(Has(text, "2h ago   in 5h   3.0 MiB")) << text;
}

TEST_F(GcPlanCommandTest, WithinNoTimeIsAnOrdinaryPlan) {
  gc_.plan.mutable_items(0)->set_due_ms(NowMs() - kHourMs);
  const std::string text = Control({"gc", "plan", "--within", "0s"}).out;
  EXPECT_FALSE(Has(text, "DUE")) << text;
  EXPECT_TRUE(Has(text, "run it: outportctl gc run --plan 5f0c2a9b")) << text;
}

TEST_F(GcPlanCommandTest, NothingIsDueWithinATime) {
  gc_.plan.clear_items();
  gc_.plan.clear_counts();
  const std::string text = Control({"gc", "plan", "--within", "2h"}).out;
  EXPECT_TRUE(Has(text, "no link is due within 2h\n")) << text;
  const std::string untagged = Control({"gc", "plan", "--delete-untagged", "--within", "2h"}).out;
  EXPECT_TRUE(Has(untagged, "within 2h, and a run would remove no manifest now\n")) << untagged;
}

TEST_F(GcPlanCommandTest, SaysThatNoRepositoryMatches) {
  gc_.plan.clear_items();
  gc_.plan.clear_counts();
  gc_.plan.set_no_repository(true);
  const Outcome outcome = Control({"gc", "plan", "--repository", "team/aap"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("no repository matches 'team/aap'\n")) << outcome.out;
  EXPECT_TRUE(Json({"gc", "plan", "--repository", "team/aap"}).at("no_repository").as_bool());
}

TEST_F(GcPlanCommandTest, OnlyARunRemovesManifests) {
  gc_.plan.mutable_items(0)->set_kind("manifest");
  gc_.plan.mutable_counts()->set_links(0);
  gc_.plan.mutable_counts()->set_manifests(1);
  const std::string text = Control({"gc", "plan", "--delete-untagged", "--within", "2h"}).out;
  EXPECT_FALSE(Has(text, "by itself")) << text;
  EXPECT_TRUE(Has(text, "\nonly a run removes the manifests; plan without --within")) << text;
}

TEST_F(GcPlanCommandTest, SaysThatManifestsInTheirGracePeriodAreNotCounted) {
  gc_.collector.set_grace_ms(36 * kHourMs);
  const std::string note = "note: untagged manifests whose grace period (1d 12h) has not passed";
  EXPECT_FALSE(Has(Control({"gc", "plan"}).out, note));
  EXPECT_TRUE(Has(Control({"gc", "plan", "--delete-untagged"}).out, note));
  gc_.plan.add_nodes_without_report("eu-west");
  EXPECT_FALSE(Has(Control({"gc", "plan", "--delete-untagged"}).out, note));
}

TEST_F(GcPlanCommandTest, MissingReportsMatterOnlyToManifests) {
  gc_.plan.add_nodes_without_report("eu-west");
  EXPECT_FALSE(Has(Control({"gc", "plan"}).out, "eu-west"));
  EXPECT_TRUE(Has(Control({"gc", "plan", "--delete-untagged"}).out, "pulls from: eu-west"));
}

TEST_F(GcPlanCommandTest, SaysThatTheCollectorIsPaused) {
  gc_.collector.set_paused(true);
  gc_.collector.set_paused_by("ann");
  gc_.collector.set_paused_since_ms(1'000'000);
  gc_.collector.set_paused_why("a restore");
  const std::string why =
      "the collector is paused by ann since 1970-01-01T00:16:40.000Z: a restore; 'outportctl gc "
      "resume' ends the pause\n";
  const std::string text = Control({"gc", "plan"}).out;
  EXPECT_TRUE(Has(
      text, "\nno run can start now: " + why + "then run it: outportctl gc run --plan 5f0c2a9b\n"))
      << text;
  const std::string within = Control({"gc", "plan", "--within", "2h"}).out;
  EXPECT_TRUE(Has(within, "\nno link goes now: " + why)) << within;
  EXPECT_FALSE(Has(within, "by itself")) << within;
}

TEST_F(GcPlanCommandTest, SaysThatTheCollectorWaitsForTheClock) {
  gc_.collector.set_clock_jump_ms(37 * kHourMs);
  const std::string text = Control({"gc", "plan"}).out;
  EXPECT_TRUE(Has(text,
                  "no run can start now: the collector waits until an administrator accepts "
                  "the clock; see 'outportctl gc status'\n"))
      << text;
}

TEST_F(GcPlanCommandTest, AsJsonAPlanThatNobodyCanRunHasNoName) {
  EXPECT_EQ(Json({"gc", "plan"}).at("plan").as_string(), "5f0c2a9b");
  EXPECT_TRUE(Json({"gc", "plan", "--within", "2h"}).at("plan").is_null());
}

TEST_F(GcPlanCommandTest, AsJsonAPullAtTheStoreIsNoMissingPull) {
  EXPECT_TRUE(Json({"gc", "plan"}).at("items").at(0).at("last_pull_at").is_null());
  EXPECT_TRUE(Json({"gc", "plan"}).at("last_pull_at").is_null());
  gc_.plan.mutable_items(0)->set_last_pulled_ms(1'000'000);
  EXPECT_EQ(Json({"gc", "plan"}).at("items").at(0).at("last_pull_at").as_string(), "");
}

TEST_F(GcPlanCommandTest, RefusesATimeThatIsNone) {
  for (const char* within : {"", "soon", "3"}) {
    const Outcome outcome = Control({"gc", "plan", "--within", within});
    EXPECT_NE(outcome.status, 0) << within;
    EXPECT_TRUE(Has(outcome.err, "--within")) << outcome.err;
  }
  EXPECT_NE(Control({"gc", "run", "--within", "3h"}).status, 0);
  EXPECT_TRUE(gc_.plan_requests.empty());
}

TEST_F(GcPlanCommandTest, SaysThatTheBytesAreAMinimum) {
  EXPECT_TRUE(Has(Control({"gc", "plan"}).out, "; frees 3.0 MiB\n"));
  EXPECT_FALSE(Json({"gc", "plan"}).at("freed_is_minimum").as_bool());
  gc_.plan.set_freed_is_minimum(true);
  gc_.plan.set_freed_later_bytes(1 << 20);
  EXPECT_TRUE(Has(Control({"gc", "plan"}).out,
                  "; frees at least 3.0 MiB, of this 1.0 MiB later, because the manifests' blobs "
                  "and children have a grace period of their own\n"));
  EXPECT_TRUE(Json({"gc", "plan"}).at("freed_is_minimum").as_bool());
}

TEST_F(GcPlanCommandTest, ARunNamesTheItemsThatWereGone) {
  v1::RunRow run;
  run.set_id("0000019a1f3c5e80-7d41b2c9");
  run.set_state(v1::RUN_STATE_DONE);
  run.set_gone(1);
  gc_.progress = {run};
  gc_.runs = {run};
  const std::string text = Control({"gc", "run", "--plan", "5f0c2a9b"}).out;
  EXPECT_TRUE(Has(text, "removed nothing; 1 item was gone already")) << text;
  EXPECT_EQ(Json({"gc", "run", "--plan", "5f0c2a9b"}).at("gone").as_int64(), 1);
  EXPECT_EQ(Json({"gc", "history"}).at(0).at("gone").as_int64(), 1);
  const std::string history = Control({"gc", "history"}).out;
  EXPECT_TRUE(Has(history, "KEPT   GONE")) << history;
}

}  // namespace
}  // namespace outport::control
