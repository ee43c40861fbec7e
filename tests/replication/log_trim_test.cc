#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "store/replication/log_reader.h"
#include "store/replication/log_trimmer.h"
#include "store/replication/resolve.h"
#include "tests/replication/test_node.h"

namespace outport {
namespace {

// A store whose change log is trimmed while a node is away or slow.
class LogTrimTest : public FleetTest {
 protected:
  // Trims all but the last record, whether a node lacks the records or not.
  void TrimAll() { Trim({.max_size_bytes = 0}); }
  // Trims what no node lacks.
  void TrimBehindNodes() { Trim({.min_records = 0}); }
  uint64_t Trimmed() { return store::TrimmedPosition(store_->meta())->sequence; }
  // A node joins, acknowledges the head, and leaves.
  void JoinAndLeave() {
    const auto node = JoinNode();
    EXPECT_TRUE(Eventually([&] {
      return store_->nodes.Find("eu-west")->acknowledged_sequence == store_->Head().sequence;
    }));
  }

 private:
  void Trim(const store::LogBounds& bounds) {
    clock_.Advance(store::WorkLease::kDuration);  // an earlier lease expires
    const store::StoreClock store_clock(clock_, "boot");
    Metrics metrics;
    store::LogTrimmer trimmer({.meta = store_->meta(),
                               .nodes = store_->nodes,
                               .clock = store_clock,
                               .pool = pool_,
                               .metrics = metrics,
                               .log = Log::Nowhere(),
                               .owner = "test",
                               .bounds = bounds});
    const Result<void> trimmed = trimmer.Trim();
    ASSERT_TRUE(trimmed.has_value()) << trimmed.error().message;
  }

  BlockingPool pool_{"trim", 1, 4};
};

// A node that was away for longer than the log reaches takes a snapshot. Until it has applied the
// snapshot, it does not take its old rows for fresh.
TEST_F(LogTrimTest, I3ANodeBehindTheLogTakesASnapshot) {
  const TestStore::Image gone = store_->PublishImage(kApp, "gone");
  store_->PublishTag(kApp, "gone", gone.digest);
  store_->PublishTag(kApp, "moved", DigestOf("before"));
  JoinAndLeave();
  const uint64_t left = store_->Head().sequence;

  store_->DeleteTag(kApp, "gone");
  v1::Change deleted;
  deleted.mutable_manifest_deleted()->set_repository(kApp);
  deleted.mutable_manifest_deleted()->set_digest(gone.digest.ToString());
  store_->Publish({deleted});
  store_->PublishTag(kApp, "moved", DigestOf("after"));
  store_->PublishUser("anna");
  TrimAll();
  ASSERT_GT(Trimmed(), left);

  const auto node = StartNode();
  // At once, before the snapshot or after it.
  EXPECT_EQ(node->Stat(kApp, "gone").error().code, ErrorCode::kManifestUnknown);
  const auto moved = node->Stat(kApp, "moved");
  ASSERT_TRUE(moved.has_value()) << moved.error().message;
  EXPECT_EQ(moved->digest, DigestOf("after"));

  ASSERT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  EXPECT_EQ(node->Count("outport_node_replica_divergences_total"), 0);
  EXPECT_EQ(node->Stat(kApp, gone.digest.ToString()).error().code, ErrorCode::kManifestUnknown);
  EXPECT_EQ(node->ListTags(kApp)->items, std::vector<std::string>{"moved"});
  EXPECT_NE(node->users.Find("anna"), nullptr);

  store_->PublishTag(kApp, "next", DigestOf("next"));
  EXPECT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_EQ(node->Snapshots(), 1) << "it follows the log again";
}

TEST_F(LogTrimTest, ANodeAtTheTrimmedPositionContinues) {
  store_->PublishTag(kApp, "a", DigestOf("a"));
  JoinAndLeave();
  const uint64_t left = store_->Head().sequence;
  for (int i = 0; i < 5; ++i) store_->PublishTag(kApp, "b", DigestOf("b"));
  TrimBehindNodes();
  ASSERT_EQ(Trimmed(), left);
  const auto node = JoinNode();
  EXPECT_EQ(node->Snapshots(), 0);
  EXPECT_EQ(node->Stat(kApp, "b")->digest, DigestOf("b"));
}

TEST_F(LogTrimTest, ANewNodeJoinsATrimmedLog) {
  for (int i = 0; i < 5; ++i) store_->PublishTag(kApp, "a", DigestOf("a"));
  TrimAll();
  const auto node = JoinNode();
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  EXPECT_EQ(node->Stat(kApp, "a")->digest, DigestOf("a"));
}

// A connected node that receives nothing, while the log grows beyond its bounds.
TEST_F(LogTrimTest, ASlowStreamThatWasOvertakenEnds) {
  const LogPosition start = store_->Head();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 60s);
  const auto stub = v1::Replication::NewStub(rpc::Dial(store_->address(), identity_, true));
  const auto stream = stub->Sync(&context);
  v1::NodeMessage hello;
  *hello.mutable_hello()->mutable_applied() = store::ToPosition("epoch-1", start);
  ASSERT_TRUE(stream->Write(hello));
  v1::StoreMessage message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_TRUE(message.has_welcome());
  ASSERT_FALSE(message.welcome().snapshot_follows());

  // More than gRPC buffers for a client that does not read.
  v1::Change large;
  auto& referrer = *large.mutable_referrer_set();
  referrer.set_repository(kApp);
  referrer.set_subject(DigestOf("subject").ToString());
  referrer.set_digest(DigestOf("referrer").ToString());
  referrer.mutable_row()->set_artifact_type(std::string(1 << 20, 'x'));
  for (int i = 0; i < 32; ++i) store_->Publish({large});
  TrimAll();

  uint64_t reached = start.sequence;
  while (stream->Read(&message)) {
    if (!message.has_batch()) continue;
    EXPECT_EQ(message.batch().from(), reached) << "a change was skipped";
    reached = message.batch().to();
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_THAT(status.error_message(), testing::HasSubstr("receives a snapshot"));
  EXPECT_LT(reached, Trimmed());
}

}  // namespace
}  // namespace outport
