#include <gtest/gtest.h>

#include "tests/replication/test_node.h"

namespace outport {
namespace {

// What happens to a node's copies of blobs that the store removes.
class TombstoneTest : public FleetTest {
 protected:
  static constexpr const char* kOther = "team/app";

  static v1::Change Unlink(const std::string& repository, const Digest& digest) {
    v1::Change change;
    change.mutable_unlink()->set_repository(repository);
    change.mutable_unlink()->set_digest(digest.ToString());
    return change;
  }
  static v1::Change Tombstone(const std::string& repository, const Digest& digest) {
    v1::Change change;
    change.mutable_tombstone()->set_repository(repository);
    change.mutable_tombstone()->set_digest(digest.ToString());
    return change;
  }
  // Publishes a blob, and waits for the node's copy of it.
  Digest Pull(TestNode& node, const std::string& bytes) {
    const Digest blob = store_->PublishBlob(kApp, bytes);
    EXPECT_TRUE(node.ReadBlob(kApp, blob));
    EXPECT_TRUE(Eventually([&] { return node.IsCached(blob); }));
    return blob;
  }
  static double Dropped(TestNode& node, const std::string& reason) {
    return node.Count("outport_node_blobs_dropped_total", {{"reason", reason}});
  }
};
using I9AKilledNode = TombstoneTest;

TEST_F(TombstoneTest, TheNodeDropsItsCopyWithTheLastLink) {
  const auto node = JoinNode();
  const Digest gone = Pull(*node, "gone");
  const Digest kept = Pull(*node, "kept");
  const RepositoryName app = *RepositoryName::Parse(kApp);
  ASSERT_TRUE(store_->links().Remove(app, gone, store::Actor::Store()));
  EXPECT_TRUE(Eventually([&] { return Dropped(*node, "tombstone") == 1; }));
  EXPECT_FALSE(node->IsCached(gone));
  EXPECT_TRUE(node->IsCached(kept));
  const auto read = node->ReadBlob(kApp, gone);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kBlobUnknown);
}

TEST_F(TombstoneTest, ACopyStaysWhileAnotherRepositoryLinksTheBlob) {
  const auto node = JoinNode();
  const Digest blob = Pull(*node, "shared");
  store_->PublishRepository(kOther);
  store_->PublishBlob(kOther, "shared");
  const RepositoryName app = *RepositoryName::Parse(kApp);
  ASSERT_TRUE(store_->links().Remove(app, blob, store::Actor::Store()));
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_TRUE(node->ReadBlob(kOther, blob));
  EXPECT_TRUE(node->IsCached(blob));
  EXPECT_EQ(Dropped(*node, "tombstone"), 0);
}

TEST_F(TombstoneTest, ABlobThatIsPushedAgainIsServedAgain) {
  const auto node = JoinNode();
  const Digest blob = Pull(*node, "again");
  const RepositoryName app = *RepositoryName::Parse(kApp);
  ASSERT_TRUE(store_->links().Remove(app, blob, store::Actor::Store()));
  store_->PublishBlob(kApp, "again");
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  const auto read = node->ReadBlob(kApp, blob);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, "again");
}

TEST_F(TombstoneTest, ANodeGetsNoTombstoneOfARepositoryOutsideItsScope) {
  store_->AddNode("eu-west", {"pull,push:library/**"});
  const auto node = JoinNode();
  const Digest blob = Pull(*node, "mine");
  store_->Publish({Tombstone(kOther, blob)});
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  store_->Publish({Tombstone(kApp, DigestOf("without a copy"))});
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_TRUE(node->IsCached(blob));
  store_->Publish({Unlink(kApp, blob), Tombstone(kApp, blob)});
  EXPECT_TRUE(Eventually([&] { return !node->IsCached(blob); }));
}

// The node ends after it has applied the unlink and before it has dropped the copy. The round at
// the next start drops it. The copy of a blob whose link the log brings only after the start stays.
TEST_F(I9AKilledNode, DropsTheUnlinkedCopiesAtItsNextStart) {
  auto node = JoinNode();
  const Digest gone = Pull(*node, "gone");
  const Digest kept = Pull(*node, "kept");
  store_->Publish({Unlink(kApp, gone)});
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  ASSERT_TRUE(node->IsCached(gone));
  node->StopSync();
  const Digest newer = Pull(*node, "newer");
  node.reset();
  node = StartNode();
  EXPECT_TRUE(Eventually([&] { return Dropped(*node, "unlinked") == 1; }));
  EXPECT_FALSE(node->IsCached(gone));
  EXPECT_TRUE(node->IsCached(kept));
  EXPECT_TRUE(node->IsCached(newer));
}

// A store with another epoch sends a snapshot. The snapshot lacks a link that the old rows had.
TEST_F(TombstoneTest, CopiesWithoutALinkInASnapshotAreDropped) {
  auto node = JoinNode();
  const Digest gone = Pull(*node, "gone");
  store_->Stop();
  TestStore restored(loop_, authority_, folder_.path() / "restored", "epoch-2");
  restored.AddNode("eu-west");
  restored.PublishRepository(kApp);
  const Digest kept = restored.PublishBlob(kApp, "kept");
  restored.UsePortOf(*store_);
  restored.Start();
  ASSERT_TRUE(Eventually([&] { return node->Follows(restored); }));
  ASSERT_TRUE(node->ReadBlob(kApp, kept));
  // The node counts a copy after it has removed the file.
  EXPECT_TRUE(Eventually([&] { return Dropped(*node, "unlinked") == 1; }));
  EXPECT_FALSE(node->IsCached(gone));
  EXPECT_TRUE(Eventually([&] { return node->IsCached(kept); }));
  node.reset();
}

}  // namespace
}  // namespace outport
