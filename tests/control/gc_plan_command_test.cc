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
  EXPECT_TRUE(Has(text, "nothing is due within 2h\n")) << text;
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
