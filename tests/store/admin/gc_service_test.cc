#include "store/admin/gc_service.h"

#include "tests/store/admin/service_fixture.h"

namespace outport::store {
namespace {

// The service, with a collector whose steps the test runs.
class GcServiceTest : public ServiceFixture<v1::Gc> {
 protected:
  GcServiceTest() {
    Serve(service_);
    static_cast<void>(collector_.Step());  // acquires the lease
  }
  ~GcServiceTest() override {
    StopServing();
    io_.Stop();
  }

  Collector collector_{CollectorParts()};
  GcService service_{{.gate = gate_, .collector = collector_}};
};

TEST_F(GcServiceTest, OnlyAdministratorsMayCall) {
  for (const Role role : {Role::kClient, Role::kNode, Role::kStore}) {
    v1::GetPlanResponse plan;
    EXPECT_EQ(Call(IdentityOf(role), &Stub::GetPlan, {}, plan).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
    v1::RunRow run;
    EXPECT_EQ(Call(IdentityOf(role), &Stub::StartRun, {}, run).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
    v1::Collector state;
    EXPECT_EQ(Call(IdentityOf(role), &Stub::PauseCollector, {}, state).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
  }
  EXPECT_FALSE(collector_.Get()->paused());
}

TEST_F(GcServiceTest, AnAdministratorPlansRunsPausesAndResumes) {
  const rpc::TlsIdentity administrator = IdentityOf(Role::kAdmin);
  v1::GetPlanResponse plan;
  ASSERT_TRUE(Call(administrator, &Stub::GetPlan, {}, plan).ok());
  EXPECT_EQ(plan.items_size(), 0);
  v1::StartRunRequest start;
  start.set_plan(plan.plan());
  v1::RunRow run;
  const grpc::Status started = Call(administrator, &Stub::StartRun, start, run);
  ASSERT_TRUE(started.ok()) << started.error_message();
  EXPECT_EQ(run.by(), "bob");
  while (!collector_.Get()->running().empty()) static_cast<void>(collector_.Step());
  v1::GetRunRequest get;
  get.set_id(run.id());
  ASSERT_TRUE(Call(administrator, &Stub::GetRun, get, run).ok());
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE);
  v1::ListRunsResponse runs;
  ASSERT_TRUE(Call(administrator, &Stub::ListRuns, {}, runs).ok());
  EXPECT_EQ(runs.runs_size(), 1);
  v1::UndoRunRequest undo;
  undo.set_id(run.id());
  ASSERT_TRUE(Call(administrator, &Stub::UndoRun, undo, run).ok());
  EXPECT_EQ(run.state(), v1::RUN_STATE_UNDOING);
  v1::Collector state;
  ASSERT_TRUE(Call(administrator, &Stub::PauseCollector, {}, state).ok());
  EXPECT_TRUE(state.paused());
  ASSERT_TRUE(Call(administrator, &Stub::ResumeCollector, {}, state).ok());
  ASSERT_TRUE(Call(administrator, &Stub::GetCollector, {}, state).ok());
  EXPECT_FALSE(state.paused());
}

}  // namespace
}  // namespace outport::store
