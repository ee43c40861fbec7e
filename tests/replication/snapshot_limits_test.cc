#include "store/replication/snapshot_limits.h"

#include "tests/replication/test_node.h"
#include "tests/support/manual_clock.h"

namespace outport {
namespace {

using store::SnapshotLimits;

constexpr size_t kAtOnce = SnapshotLimits::kAtOnce;
constexpr size_t kBurst = SnapshotLimits::kNodeBurst;

TEST(SnapshotLimitsTest, AFewAtOnce) {
  const store::ManualClock clock;
  SnapshotLimits limits(clock);
  std::vector<Slots::Slot> slots;
  for (size_t i = 0; i < kAtOnce; ++i) {
    auto slot = limits.Begin("n" + std::to_string(i));
    ASSERT_TRUE(slot.has_value());
    slots.push_back(std::move(*slot));
  }
  const auto rejected = limits.Begin("other");
  ASSERT_FALSE(rejected.has_value());
  EXPECT_EQ(rejected.error().code, ErrorCode::kTooManyRequests);
  slots.pop_back();
  EXPECT_TRUE(limits.Begin("other").has_value());
}

TEST(SnapshotLimitsTest, OneAMinuteForEachNodeAfterTheFirst) {
  store::ManualClock clock;
  SnapshotLimits limits(clock);
  for (size_t i = 0; i < kBurst; ++i) EXPECT_TRUE(limits.Begin("n").has_value());
  EXPECT_FALSE(limits.Begin("n").has_value());
  EXPECT_TRUE(limits.Begin("other").has_value());
  clock.Advance(59s);
  EXPECT_FALSE(limits.Begin("n").has_value());
  clock.Advance(2s);
  EXPECT_TRUE(limits.Begin("n").has_value());
  EXPECT_FALSE(limits.Begin("n").has_value());
}

// A stream of a node that has no position.
class NewStream {
 public:
  NewStream(const std::string& address, const rpc::TlsIdentity& identity)
      : stub_(v1::Replication::NewStub(rpc::Dial(address, identity, true))) {
    context_.set_deadline(std::chrono::system_clock::now() + 60s);
    stream_ = stub_->Sync(&context_);
    v1::NodeMessage hello;
    hello.mutable_hello()->set_version("test");
    stream_->Write(hello);
    v1::StoreMessage message;
    is_welcome_ = stream_->Read(&message) && message.welcome().snapshot_follows();
  }
  ~NewStream() { Cancel(); }
  NewStream(const NewStream&) = delete;
  NewStream& operator=(const NewStream&) = delete;

  bool is_welcome() const { return is_welcome_; }
  void Cancel() { context_.TryCancel(); }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::Replication::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::NodeMessage, v1::StoreMessage>> stream_;
  bool is_welcome_ = false;
};

using SnapshotsTest = FleetTest;

TEST_F(SnapshotsTest, ANodeThatWaitsForItsTurnJoinsLater) {
  // A snapshot of more than gRPC buffers for a client that does not read.
  for (int i = 0; i < 32; ++i) {
    v1::Change large;
    auto& referrer = *large.mutable_referrer_set();
    referrer.set_repository(kApp);
    referrer.set_subject(DigestOf("subject").ToString());
    referrer.set_digest(DigestOf("referrer " + std::to_string(i)).ToString());
    referrer.mutable_row()->set_artifact_type(std::string(1 << 20, 'x'));
    store_->Publish({large});
  }
  std::vector<std::unique_ptr<NewStream>> slow;
  for (size_t i = 0; i < kAtOnce; ++i) {
    const std::string name = "slow" + std::to_string(i);
    store_->AddNode(name);
    slow.push_back(
        std::make_unique<NewStream>(store_->address(), authority_.Issue(Role::kNode, name)));
    ASSERT_TRUE(slow.back()->is_welcome());
  }
  NewStream rejected(store_->address(), identity_);
  EXPECT_FALSE(rejected.is_welcome());
  const grpc::Status status = rejected.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("snapshots already"), std::string::npos)
      << status.error_message();

  const auto node = StartNode();
  EXPECT_TRUE(
      Eventually([&] { return node->Count("outport_node_sync_attempts_total") >= 2; }, 60s));
  slow.clear();
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }, 60s));
}

TEST_F(SnapshotsTest, AStreamThatIsOpenedAgainAndAgainIsRejected) {
  for (size_t i = 0; i < kBurst; ++i) {
    NewStream stream(store_->address(), identity_);
    EXPECT_TRUE(stream.is_welcome()) << i;
    stream.Cancel();
    stream.Finish();
  }
  NewStream rejected(store_->address(), identity_);
  EXPECT_FALSE(rejected.is_welcome());
  const grpc::Status status = rejected.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("may begin one a minute"), std::string::npos)
      << status.error_message();
}

}  // namespace
}  // namespace outport
