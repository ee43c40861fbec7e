#include "store/admin/retention_service.h"

#include <grpcpp/client_context.h>

#include "registry/rpc/status.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/io_thread.h"

namespace outport::store {
namespace {

using Stub = v1::Retention::Stub;

// The service over a real fleet port.
class RetentionServiceTest : public FleetFixture {
 protected:
  RetentionServiceTest() {
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
  ~RetentionServiceTest() override {
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
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    const auto stub = v1::Retention::NewStub(rpc::Dial(address_, identity, true));
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
  Retention retention_{{.meta = *meta_,
                        .clock = clock_,
                        .store_clock = store_clock_,
                        .collector = collector_,
                        .log = Log::Nowhere()}};
  RetentionService service_{
      {.gate = {.domain = "outport", .directory = directory_, .pool = io_.pool()},
       .retention = retention_}};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
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
