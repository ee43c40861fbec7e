#include "store/admin/gc_service.h"

#include <functional>
#include <iterator>

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

// A method of the service with an empty request.
struct Method {
  const char* name;
  std::function<grpc::Status(v1::Gc::Stub&, grpc::ClientContext&)> call;
};

template <class Request, class Response>
Method Empty(const char* name, grpc::Status (v1::Gc::Stub::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*)) {
  return {name, [method](v1::Gc::Stub& stub, grpc::ClientContext& context) {
            Response response;
            return (stub.*method)(&context, Request(), &response);
          }};
}

TEST_F(GcServiceTest, I6OnlyAdministratorsMayCall) {
  const Method kMethods[] = {Empty("GetPlan", &Stub::GetPlan),
                             Empty("StartRun", &Stub::StartRun),
                             Empty("UndoRun", &Stub::UndoRun),
                             Empty("GetRun", &Stub::GetRun),
                             Empty("ListRuns", &Stub::ListRuns),
                             Empty("GetCollector", &Stub::GetCollector),
                             Empty("PauseCollector", &Stub::PauseCollector),
                             Empty("ResumeCollector", &Stub::ResumeCollector)};
  const auto* service = v1::GetPlanRequest::descriptor()->file()->service(0);
  EXPECT_EQ(std::size(kMethods), static_cast<size_t>(service->method_count()))
      << "a method is not in the table";
  const struct {
    const char* name;
    rpc::TlsIdentity identity;
    grpc::StatusCode code;
  } kCallers[] = {
      {"nobody", Nobody(), grpc::UNAUTHENTICATED},
      {"a client", IdentityOf(Role::kClient, "desktop"), grpc::PERMISSION_DENIED},
      {"a node", IdentityOf(Role::kNode, "eu"), grpc::PERMISSION_DENIED},
      {"the store", IdentityOf(Role::kStore, "store"), grpc::PERMISSION_DENIED},
  };
  for (const auto& caller : kCallers) {
    const auto stub = StubOf(caller.identity);
    for (const Method& method : kMethods) {
      grpc::ClientContext context;
      SetDeadline(context);
      const grpc::Status status = method.call(*stub, context);
      EXPECT_EQ(status.error_code(), caller.code)
          << caller.name << " " << method.name << ": " << status.error_message();
    }
  }
  EXPECT_FALSE(collector_.Get()->paused());
  EXPECT_EQ(collector_.ListRuns({})->runs_size(), 0);
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
