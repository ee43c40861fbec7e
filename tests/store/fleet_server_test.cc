#include "store/fleet_server.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>

#include <boost/asio/ip/tcp.hpp>

#include "registry/storage/disk/disk_blob_store.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/io_thread.h"
#include "tests/support/memory_registry.h"
#include "tests/support/test_latch.h"

namespace outport::store {
namespace {

using namespace std::chrono_literals;

// The whole fleet port over a data folder. Its pool has one thread and a queue of one.
class FleetServerTest : public FleetFixture {
 protected:
  ~FleetServerTest() override {
    if (server_ != nullptr) server_->Stop(std::chrono::system_clock::now() + 1s);
    EXPECT_TRUE(tasks_.DrainBlocking(std::chrono::steady_clock::now() + 20s));
  }
  void Start(FleetLimits limits = {}) {
    const AdminGate gate{.domain = identity_.domain, .directory = directory_, .pool = pool_};
    server_ = std::make_unique<FleetServer>(FleetServer::Parts{
        .replication = {.meta = *meta_,
                        .content = content_,
                        .directory = directory_,
                        .members = fleet_.member_directory,
                        .blobs = read_blob_,
                        .pool = pool_,
                        .tasks = tasks_,
                        .nodes = fleet_.connected_nodes,
                        .clock = clock_,
                        .store_clock = store_clock_,
                        .metrics = metrics_,
                        .log = Log::Nowhere(),
                        .identity = identity_,
                        .policy = {}},
        .push = {.members = fleet_.member_directory,
                 .registry = registry_,
                 .directory = directory_,
                 .authenticator = authenticator_,
                 .clock = clock_,
                 .tasks = tasks_,
                 .metrics = metrics_,
                 .log = Log::Nowhere(),
                 .identity = identity_},
        .admin = {.gate = gate,
                  .fleet = fleet_,
                  .meta = *meta_,
                  .files = disk_,
                  .epoch = identity_.epoch,
                  .version = "1.2.3",
                  .data = folder_.path(),
                  .started_ms = 1000},
        .access = {.gate = gate, .fleet = fleet_, .clock = clock_},
        .enrollment = {.fleet = fleet_,
                       .pool = pool_,
                       .clock = clock_,
                       .metrics = metrics_,
                       .domain = identity_.domain},
        .audit = {.gate = gate, .meta = *meta_},
        .authority = {.gate = gate, .rotation = rotation_},
        .content = {.gate = gate, .content = content_, .uploads = uploads_, .tasks = tasks_},
        .gc = {.gate = gate, .collector = collector_},
        .retention = {.gate = gate, .retention = retention_},
        .limits = limits});
    const std::filesystem::path pki = folder_.path() / "pki";
    ASSERT_TRUE(
        server_->Start("127.0.0.1:0", {pki / "server.crt", pki / "server.key", pki / "trusted.crt"})
            .has_value());
  }
  std::shared_ptr<grpc::Channel> DialAsNobody() {
    return rpc::Dial(server_->address(), {"", "", files_.authority.root.certificate}, true);
  }
  static void SetDeadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + 20s);
  }
  grpc::Status Resolve() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::ResolveResponse response;
    return v1::Replication::NewStub(DialAsNobody())->Resolve(&context, {}, &response);
  }
  grpc::Status GetManifest() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::GetManifestResponse response;
    return v1::Replication::NewStub(DialAsNobody())->GetManifest(&context, {}, &response);
  }
  grpc::Status Sync() {
    grpc::ClientContext context;
    SetDeadline(context);
    const auto stub = v1::Replication::NewStub(DialAsNobody());
    return stub->Sync(&context)->Finish();
  }
  grpc::Status ReadBlob() {
    grpc::ClientContext context;
    SetDeadline(context);
    const auto stub = v1::Replication::NewStub(DialAsNobody());
    return stub->ReadBlob(&context, {})->Finish();
  }
  grpc::Status DeleteManifest() {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::DeleteResponse response;
    return v1::Push::NewStub(DialAsNobody())->DeleteManifest(&context, {}, &response);
  }
  grpc::Status Enroll(const std::string& more_metadata = "") {
    grpc::ClientContext context;
    SetDeadline(context);
    context.AddMetadata("more", more_metadata);
    v1::EnrollResponse response;
    return v1::Enrollment::NewStub(DialAsNobody())->Enroll(&context, {}, &response);
  }

  const StoreIdentity identity_{.epoch = "epoch1", .domain = "outport"};
  IoThread io_;
  BlockingPool pool_{"fleet", 1, 1};
  TaskGroup tasks_{io_.executor(), Log::Nowhere()};
  Metrics metrics_;
  std::unique_ptr<DiskBlobStore> bytes_ =
      *DiskBlobStore::Open(disk_, folder_.path(), "uploads", BlobWrites::kDirect);
  StoreClock store_clock_{clock_};
  Owner owner_{*meta_, store_clock_, Owner::Access::kExclusive};
  Content content_{{.meta = *meta_,
                    .bytes = *bytes_,
                    .clock = clock_,
                    .store_clock = store_clock_,
                    .owner = owner_,
                    .metrics = metrics_,
                    .log = Log::Nowhere()}};
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
  Uploads uploads_{{.meta = *meta_,
                    .bytes = *bytes_,
                    .blobs = content_.blobs,
                    .disk = pool_,
                    .clock = clock_,
                    .store_clock = store_clock_,
                    .owner = owner_,
                    .metrics = metrics_,
                    .log = Log::Nowhere(),
                    .boot_id = "boot"}};
  store::ReadBlob read_blob_{content_.blobs, pool_, tasks_, metrics_, Log::Nowhere()};
  testing_support::MemoryRegistry registry_;
  Authenticator authenticator_{directory_, pool_, clock_, metrics_, {}};
  Rotation rotation_{{.meta = *meta_,
                      .authorities = fleet_.authorities,
                      .follower = fleet_.follower,
                      .nodes = fleet_.connected_nodes,
                      .files = disk_,
                      .clock = clock_,
                      .log = Log::Nowhere(),
                      .pki = folder_.path() / "pki",
                      .domain = identity_.domain}};
  std::unique_ptr<FleetServer> server_;
};

TEST_F(FleetServerTest, UnauthenticatedCallersAreRejectedBeforeTheyUseThePool) {
  Start();
  // Shared with the pool: its thread may use the latch after this test has ended.
  const auto release = std::make_shared<TestLatch>();
  TestLatch blocked;
  ASSERT_TRUE(pool_.Post([&blocked, release] {
    blocked.CountDown();
    release->Wait();
  }));
  blocked.Wait();
  ASSERT_TRUE(pool_.Post([] {}));  // the queue is full now
  EXPECT_EQ(Resolve().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(GetManifest().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(Sync().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(ReadBlob().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(DeleteManifest().error_code(), grpc::UNAUTHENTICATED);
  release->CountDown();
}

TEST_F(FleetServerTest, MetadataIsBounded) {
  Start();
  EXPECT_EQ(Enroll(std::string(1000, 'a')).error_code(), grpc::PERMISSION_DENIED);
  EXPECT_EQ(Enroll(std::string(12'000, 'a')).error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_F(FleetServerTest, ASilentConnectionIsClosed) {
  Start({.handshake = 200ms});
  const std::string address = server_->address();
  net::io_context context;
  net::ip::tcp::socket silent(context);
  silent.connect({net::ip::make_address("127.0.0.1"),
                  static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))});
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(silent.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::array<char, 4096> bytes{};
  ssize_t received = 0;
  do {
    received = ::recv(silent.native_handle(), bytes.data(), bytes.size(), 0);
  } while (received > 0);
  EXPECT_TRUE(received == 0 || errno == ECONNRESET) << "it was still open after 20 s";
}

}  // namespace
}  // namespace outport::store
