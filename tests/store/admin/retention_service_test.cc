#include "store/admin/retention_service.h"

#include "tests/store/admin/service_fixture.h"

namespace outport::store {
namespace {

class RetentionServiceTest : public ServiceFixture<v1::Retention> {
 protected:
  RetentionServiceTest() {
    Serve(service_);
    static_cast<void>(collector_.Step());  // acquires the lease
  }
  ~RetentionServiceTest() override {
    StopServing();
    io_.Stop();
  }

  Collector collector_{CollectorParts()};
  Retention retention_{{.meta = *meta_,
                        .clock = clock_,
                        .store_clock = store_clock_,
                        .collector = collector_,
                        .log = Log::Nowhere()}};
  RetentionService service_{{.gate = gate_, .retention = retention_}};
};

TEST_F(RetentionServiceTest, OnlyAdministratorsMayCall) {
  for (const Role role : {Role::kClient, Role::kNode, Role::kStore}) {
    const rpc::TlsIdentity identity = IdentityOf(role);
    v1::AppliedPolicies applied;
    v1::RetentionPlan plan;
    v1::RunRow run;
    const auto denied = grpc::StatusCode::PERMISSION_DENIED;
    EXPECT_EQ(Call(identity, &Stub::ApplyPolicies, {}, applied).error_code(), denied);
    EXPECT_EQ(Call(identity, &Stub::GetPolicies, {}, applied).error_code(), denied);
    EXPECT_EQ(Call(identity, &Stub::GetPlan, {}, plan).error_code(), denied);
    EXPECT_EQ(Call(identity, &Stub::StartRun, {}, run).error_code(), denied);
  }
}

TEST_F(RetentionServiceTest, AnAdministratorAppliesPlansAndRuns) {
  const rpc::TlsIdentity administrator = IdentityOf(Role::kAdmin);
  v1::ApplyPoliciesRequest apply;
  apply.set_yaml("policies: [{name: ci, repositories: [\"ci/*\"]}]\n");
  v1::AppliedPolicies applied;
  ASSERT_TRUE(Call(administrator, &Stub::ApplyPolicies, apply, applied).ok());
  EXPECT_EQ(applied.by(), "bob");
  applied.Clear();
  ASSERT_TRUE(Call(administrator, &Stub::GetPolicies, {}, applied).ok());
  EXPECT_EQ(applied.yaml(), apply.yaml());
  v1::RetentionPlan plan;
  ASSERT_TRUE(Call(administrator, &Stub::GetPlan, {}, plan).ok());
  v1::StartRetentionRequest start;
  start.set_plan(plan.plan());
  v1::RunRow run;
  ASSERT_TRUE(Call(administrator, &Stub::StartRun, start, run).ok());
  EXPECT_EQ(run.kind(), v1::RUN_KIND_RETENTION);
  apply.set_yaml("policies: 1\n");
  apply.set_file_name("r.yml");
  const grpc::Status refused = Call(administrator, &Stub::ApplyPolicies, apply, applied);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(refused.error_message().find("r.yml:1: "), std::string::npos);
}

}  // namespace
}  // namespace outport::store
