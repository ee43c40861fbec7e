#include <gtest/gtest.h>

#include <functional>

#include "node/replica/replica.h"
#include "tests/replication/test_node.h"
#include "tests/support/fault_disk.h"

namespace outport {
namespace {

// A node with a full disk.
class FullDiskTest : public FleetTest {
 protected:
  FullDiskTest() { std::filesystem::create_directories(folder_.path() / "node"); }

  std::unique_ptr<TestNode> JoinNode(const TestNodeDisk& disk) {
    auto node = std::make_unique<TestNode>(loop_, identity_, folder_.path() / "node",
                                           store_->address(), clock_, /*read_only=*/false, disk);
    EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
    return node;
  }
  void RemoveUser(const std::string& name) {
    v1::Change removed;
    removed.mutable_user_deleted()->set_name(name);
    store_->Publish({removed});
  }
};

TEST_F(FullDiskTest, PullsPassThroughBelowTheHeadroom) {
  const TestStore::Image image = store_->PublishImage(kApp, "first");
  const auto node = JoinNode({.headroom_bytes = UINT64_MAX / 2});
  node->PullWhole(kApp, image);
  EXPECT_FALSE(node->meta().Get(keys::Content(image.digest))->has_value()) << "it was kept";
  EXPECT_TRUE(node->meta().Scan({.prefix = std::string(keys::kCachedBlobs)})->empty())
      << "it was kept";
  node->PullWhole(kApp, image);
}

// After one failed write, the metadata is read-only.
TEST_F(FullDiskTest, I6ARemovedUserIsGoneOnAFullDisk) {
  for (const char* user : {"anna", "berta"}) store_->PublishUser(user);
  FaultDisk disk(folder_.path() / "node");
  const auto node = JoinNode({.env = disk.env()});
  ASSERT_NE(node->users.Find("anna"), nullptr);
  disk.CutAt(1);
  RemoveUser("anna");
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") == nullptr; }, 1s));
  EXPECT_TRUE(Eventually([&] { return node->meta().WhyReadOnly().has_value(); }));
  disk.CutAt(0);
  for (int i = 0; i < 3; ++i) {
    store_->PublishTag(kApp, "t" + std::to_string(i), DigestOf("t"));
    RemoveUser(i == 0 ? "berta" : "nobody");
    EXPECT_TRUE(Eventually([&] { return node->users.Find("berta") == nullptr; }, 1s));
  }
  EXPECT_TRUE(node->IsConnected());
  EXPECT_EQ(node->Count("outport_node_sync_attempts_total"), 1);
}

// The first failed write may be a proof of freshness or the store's policy. The stream continues.
TEST_F(FullDiskTest, TheFirstWriteThatFailsEndsNoStream) {
  using node::Replica;
  v1::StoreMessage::Welcome welcome;
  welcome.mutable_policy()->set_max_staleness_ms(7);
  const std::function<Result<void>(Replica&)> kWrites[] = {
      [](Replica& replica) { return replica.RecordProof(1); },
      [&welcome](Replica& replica) { return replica.SetTerms(welcome); },
  };
  for (size_t i = 0; i < std::size(kWrites); ++i) {
    SCOPED_TRACE(i);
    const std::filesystem::path folder = folder_.path() / std::to_string(i);
    std::filesystem::create_directories(folder);
    FaultDisk disk(folder);
    const auto meta = OpenMeta(folder, disk.env());
    AccessDirectory directory;
    const auto replica = *Replica::Open(*meta, directory);
    disk.CutAt(1);
    EXPECT_TRUE(kWrites[i](*replica).has_value());
    EXPECT_TRUE(disk.is_cut());
    EXPECT_TRUE(meta->WhyReadOnly().has_value());
    EXPECT_EQ(replica->proven_ms(), 0) << "it was not kept";
  }
}

// The node still fetches from the store what it cannot keep, and shows nothing stale as fresh.
TEST_F(FullDiskTest, StaleRowsAreResolvedAtTheStore) {
  store_->PublishTag(kApp, "latest", store_->PublishImage(kApp, "first").digest);
  FaultDisk disk(folder_.path() / "node");
  const auto node = JoinNode({.env = disk.env()});
  const uint64_t sequence = node->sequence();
  disk.CutAt(1);
  const TestStore::Image second = store_->PublishImage(kApp, "second");
  EXPECT_TRUE(Eventually([&] { return node->meta().WhyReadOnly().has_value(); }));
  disk.CutAt(0);
  store_->PublishTag(kApp, "latest", second.digest);
  EXPECT_TRUE(Eventually([&] {
    const auto answer = node->Stat(kApp, "latest");
    return answer.has_value() && answer->digest == second.digest;
  }));
  node->PullWhole(kApp, second);
  EXPECT_EQ(node->sequence(), sequence);
}

// The node also follows a store that begins another epoch.
TEST_F(FullDiskTest, I6UsersOfASnapshotApplyOnAFullDisk) {
  store_->PublishUser("anna");
  FaultDisk disk(folder_.path() / "node");
  const auto node = JoinNode({.env = disk.env()});
  disk.CutAt(1);
  store_->PublishTag(kApp, "t", DigestOf("t"));
  EXPECT_TRUE(Eventually([&] { return node->meta().WhyReadOnly().has_value(); }));
  disk.CutAt(0);
  auto other = std::make_unique<TestStore>(loop_, authority_, folder_.path() / "other", "epoch-2");
  other->AddNode("eu-west");
  other->PublishUser("berta");
  store_->Stop();
  other->UsePortOf(*store_);
  store_ = std::move(other);
  store_->Start();
  EXPECT_TRUE(Eventually([&] { return node->users.Find("berta") != nullptr; }));
  EXPECT_EQ(node->users.Find("anna"), nullptr);
  store_->PublishUser("carla");
  EXPECT_TRUE(Eventually([&] { return node->users.Find("carla") != nullptr; }));
  EXPECT_EQ(node->Snapshots(), 2);
}

}  // namespace
}  // namespace outport
