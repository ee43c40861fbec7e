#include "store/gc/plan_options.h"

#include "outport/v1/record.pb.h"
#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::HasSubstr;

// The collector is paused, so that due links stay for the plan.
class PlanOptionsTest : public CollectorTest {
 protected:
  PlanOptionsTest() { collector->StepAndPause(); }
  // Ends the pause, and lets nothing run before the test's next call.
  void Resume() {
    static_cast<void>(collector->Step());  // renews the lease
    collector->Resume();
  }
};

TEST_F(PlanOptionsTest, RefusesAGlobThatMatchesNoRepository) {
  ASSERT_TRUE(store.PushBlob("team/app", "layer").has_value());
  store.clock.Advance(hours(37));
  Resume();
  for (const char* glob : {"Team/**", "../x", "team/", "/team", "team/app:v1", "team***"}) {
    v1::GetPlanRequest request;
    request.mutable_options()->set_repositories(glob);
    const auto plan = (*collector)->GetPlan(request);
    ASSERT_FALSE(plan.has_value()) << glob;
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(plan.error().message, HasSubstr("not a valid pattern of repositories"));
    v1::StartRunRequest start;
    *start.mutable_options() = request.options();
    EXPECT_EQ(CodeOf((*collector)->StartRun(start, kAdministrator)), ErrorCode::kInvalidArgument);
  }
  for (const char* glob : {"**", "team/*", "team/**", "team**", "*/*", "team/app"}) {
    EXPECT_EQ(collector->Plan(false, glob).items_size(), 1) << glob;
  }
}

TEST_F(PlanOptionsTest, RefusesToIgnoreAnUnknownNode) {
  ASSERT_TRUE(Transact(*store.meta, [](MetaTransaction& transaction) {
                return WriteRow(transaction, keys::Node("eu-west"), v1::NodeRow());
              }).has_value());
  v1::GetPlanRequest request;
  request.mutable_options()->add_ignore_nodes("eu-west");
  EXPECT_TRUE((*collector)->GetPlan(request).has_value());
  request.mutable_options()->add_ignore_nodes("eu-wset");
  const auto plan = (*collector)->GetPlan(request);
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(plan.error().message, HasSubstr("'eu-wset'"));
  EXPECT_THAT(plan.error().message, HasSubstr("outportctl node list"));
}

TEST_F(PlanOptionsTest, APlanThatIgnoresANodeHoldsAfterTheNodeIsRemoved) {
  const std::string node = keys::Node("eu-west");
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return WriteRow(transaction, node, v1::NodeRow());
              }).has_value());
  ASSERT_TRUE(store.PushBlob("a", "1").has_value());
  store.clock.Advance(hours(37));
  v1::GetPlanRequest request;
  request.mutable_options()->add_ignore_nodes("eu-west");
  const auto plan = (*collector)->GetPlan(request);
  ASSERT_TRUE(plan.has_value());
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return transaction.Delete(node);
              }).has_value());
  EXPECT_EQ(CodeOf((*collector)->GetPlan(request)), ErrorCode::kNotFound) << "a new plan";
  Resume();
  v1::StartRunRequest start;
  start.set_plan(plan->plan());
  const auto started = (*collector)->StartRun(start, kAdministrator);
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(started->planned().links(), 1u);
}

}  // namespace
}  // namespace outport::store
