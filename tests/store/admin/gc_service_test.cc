#include "store/admin/gc_service.h"

#include <grpcpp/client_context.h>

#include "registry/rpc/status.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/io_thread.h"

namespace outport::store {
namespace {

// The service over a real fleet port, with a collector whose steps the test runs.
class GcServiceTest : public FleetFixture {
 protected:
  GcServiceTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             rpc::FleetServerCredentials({files_.server_chain, files_.server_key,
                                                          TrustStateOf(files_.authority).bundle}),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    static_cast<void>(collector_.Step());  // acquires the lease
  }
  ~GcServiceTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    io_.Stop();
  }

  rpc::TlsIdentity IdentityOf(Role role) {
    const std::string key = pki::CreatePrivateKey();
    const pki::LeafOptions options{.role = role, .name = "bob", .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(files_.authority, *pki::CreateRequest(key), options);
    return {leaf.certificate + files_.authority.issuing.certificate, key,
            files_.authority.root.certificate};
  }
  template <class Request, class Response>
  grpc::Status Call(const rpc::TlsIdentity& identity,
                    grpc::Status (v1::Gc::Stub::*method)(grpc::ClientContext*, const Request&,
                                                         Response*),
                    const Request& request, Response& response) {
    const auto stub = v1::Gc::NewStub(rpc::Dial(address_, identity, true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return (stub.get()->*method)(&context, request, &response);
  }

  StoreClock store_clock_{clock_};
  Owner owner_{*meta_, store_clock_, Owner::Access::kExclusive};
  IoThread io_;
  Metrics metrics_;
  std::unique_ptr<DiskBlobStore> bytes_ =
      *DiskBlobStore::Open(disk_, folder_.path(), "uploads", BlobWrites::kDirect);
  Collector collector_{{.meta = *meta_,
                        .bytes = *bytes_,
                        .clock = clock_,
                        .store_clock = store_clock_,
                        .owner = owner_,
                        .metrics = metrics_,
                        .log = Log::Nowhere()}};
  GcService service_{{.gate = {.domain = "outport", .directory = directory_, .pool = io_.pool()},
                      .collector = collector_}};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(GcServiceTest, OnlyAdministratorsMayCall) {
  for (const Role role : {Role::kClient, Role::kNode, Role::kStore}) {
    v1::GetPlanResponse plan;
    EXPECT_EQ(Call(IdentityOf(role), &v1::Gc::Stub::GetPlan, {}, plan).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
    v1::RunRow run;
    EXPECT_EQ(Call(IdentityOf(role), &v1::Gc::Stub::StartRun, {}, run).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
    v1::Collector state;
    EXPECT_EQ(Call(IdentityOf(role), &v1::Gc::Stub::PauseCollector, {}, state).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
  }
  EXPECT_FALSE(collector_.Get()->paused());
}

TEST_F(GcServiceTest, AnAdministratorPlansRunsPausesAndResumes) {
  const rpc::TlsIdentity administrator = IdentityOf(Role::kAdmin);
  v1::GetPlanResponse plan;
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::GetPlan, {}, plan).ok());
  EXPECT_EQ(plan.items_size(), 0);
  v1::StartRunRequest start;
  start.set_plan(plan.plan());
  v1::RunRow run;
  const grpc::Status started = Call(administrator, &v1::Gc::Stub::StartRun, start, run);
  ASSERT_TRUE(started.ok()) << started.error_message();
  EXPECT_EQ(run.by(), "bob");
  while (!collector_.Get()->running().empty()) static_cast<void>(collector_.Step());
  v1::GetRunRequest get;
  get.set_id(run.id());
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::GetRun, get, run).ok());
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE);
  v1::ListRunsResponse runs;
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::ListRuns, {}, runs).ok());
  EXPECT_EQ(runs.runs_size(), 1);
  v1::UndoRunRequest undo;
  undo.set_id(run.id());
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::UndoRun, undo, run).ok());
  EXPECT_EQ(run.state(), v1::RUN_STATE_UNDOING);
  v1::Collector state;
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::PauseCollector, {}, state).ok());
  EXPECT_TRUE(state.paused());
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::ResumeCollector, {}, state).ok());
  ASSERT_TRUE(Call(administrator, &v1::Gc::Stub::GetCollector, {}, state).ok());
  EXPECT_FALSE(state.paused());
}

}  // namespace
}  // namespace outport::store
