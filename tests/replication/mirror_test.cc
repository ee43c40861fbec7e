#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/test_node.h"

namespace outport {
namespace {

using testing::ElementsAre;

ErrorCode CodeOf(const auto& result) {
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

class MirrorTest : public FleetTest {
 protected:
  MirrorTest() {
    image_ = store_->PublishImage(kApp, "one");
    store_->PublishTag(kApp, "latest", image_.digest);
  }
  // Waits until the node has noticed that the store is unreachable.
  void StopStore(TestNode& node) {
    store_->Stop();
    EXPECT_TRUE(Eventually([&] { return !node.IsConnected(); }));
  }

  TestStore::Image image_{DigestOf(""), {}};
};

TEST_F(MirrorTest, I3FreshTagIsAnsweredWithoutAskingTheStore) {
  const auto node = JoinNode();
  const auto manifest = node->Get(kApp, "latest");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->info.digest, image_.digest);
  EXPECT_EQ(DigestOf(manifest->body), image_.digest);
  EXPECT_FALSE(manifest->info.stale.has_value());
  EXPECT_EQ(node->Resolves(), 0);
}

TEST_F(MirrorTest, I3NewTagIsFoundTheMomentItWasPushed) {
  const auto node = JoinNode();
  for (int i = 0; i < 50; ++i) {
    const std::string tag = "new" + std::to_string(i);
    store_->PublishTag(kApp, tag, image_.digest);
    EXPECT_TRUE(node->Stat(kApp, tag)) << tag;
  }
}

TEST_F(MirrorTest, I3StaleTagIsResolvedAtTheStore) {
  const auto node = JoinNode();
  node->StopSync();
  const TestStore::Image newer = store_->PublishImage(kApp, "two");
  store_->PublishTag(kApp, "latest", newer.digest);
  clock_.Advance(3s);
  const auto info = node->Stat(kApp, "latest");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->digest, newer.digest);
  EXPECT_FALSE(info->stale.has_value());
}

TEST_F(MirrorTest, I3NeverGoesBackwards) {
  const auto node = JoinNode();
  node->StopSync();  // the replica keeps its position
  const TestStore::Image newer = store_->PublishImage(kApp, "two");
  store_->PublishTag(kApp, "latest", newer.digest);
  clock_.Advance(3s);
  ASSERT_EQ(node->Stat(kApp, "latest")->digest, newer.digest);
  node->PullAndKeep(kApp, newer);
  store_->Stop();
  clock_.Advance(10s);
  const auto manifest = node->Get(kApp, "latest");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->info.digest, newer.digest)
      << "the answer went back to the replica's older one";
  ASSERT_TRUE(manifest->info.stale.has_value());
  EXPECT_GE(manifest->info.stale->age, 10s);
}

TEST_F(MirrorTest, I3TagShownAsDeletedDoesNotReappear) {
  const auto node = JoinNode();
  node->StopSync();
  store_->DeleteTag(kApp, "latest");
  clock_.Advance(3s);
  ASSERT_EQ(CodeOf(node->Stat(kApp, "latest")), ErrorCode::kManifestUnknown);
  store_->Stop();
  EXPECT_EQ(CodeOf(node->Stat(kApp, "latest")), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I4OnlyTheStoreSaysAbsent) {
  const auto node = JoinNode();
  EXPECT_EQ(CodeOf(node->Stat(kApp, "none")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat(kApp, DigestOf("x").ToString())), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat("no/such", "none")), ErrorCode::kNameUnknown);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("x"))), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(node->ListTags("no/such")), ErrorCode::kNameUnknown);
}

TEST_F(MirrorTest, I4UnknownIsNotAbsent) {
  const auto node = JoinNode();
  StopStore(*node);
  EXPECT_EQ(CodeOf(node->Stat(kApp, "none")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Stat(kApp, DigestOf("x").ToString())), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Stat("no/such", "none")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("x"))), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ListTags("no/such")), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I4NodeThatNeverSawTheStoreKnowsNothing) {
  store_->Stop();
  const auto node = StartNode();
  EXPECT_EQ(CodeOf(node->Get(kApp, "latest")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ListTags(kApp)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ListRepositories()), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I11ServesItsContentWhileTheStoreIsUnreachable) {
  const auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  StopStore(*node);
  clock_.Advance(1h);
  const auto manifest = node->Get(kApp, "latest");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(DigestOf(manifest->body), image_.digest);
  ASSERT_TRUE(manifest->info.stale.has_value()) << "a stale answer states its age";
  EXPECT_GE(manifest->info.stale->age, 1h);
  EXPECT_LE(manifest->info.stale->age, 1h + 60s);
  EXPECT_TRUE(node->Get(kApp, image_.digest.ToString()));
  EXPECT_EQ(*node->ReadBlob(kApp, image_.blobs[1]), "layer of one");
  const auto tags = node->ListTags(kApp);
  ASSERT_TRUE(tags);
  EXPECT_THAT(tags->items, ElementsAre("latest"));
  EXPECT_TRUE(tags->stale.has_value());
}

TEST_F(MirrorTest, I11AlsoAfterARestart) {
  auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  node.reset();
  store_->Stop();
  clock_.Advance(1min);
  node = StartNode();
  const auto manifest = node->Get(kApp, "latest");
  ASSERT_TRUE(manifest) << manifest.error().message;
  ASSERT_TRUE(manifest->info.stale.has_value());
  EXPECT_GE(manifest->info.stale->age, 1min);
  EXPECT_EQ(*node->ReadBlob(kApp, image_.blobs[1]), "layer of one");
}

TEST_F(MirrorTest, I3TooOldIsNotServed) {
  const auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  StopStore(*node);
  clock_.Advance(25h);
  EXPECT_EQ(CodeOf(node->Get(kApp, "latest")), ErrorCode::kUnavailable);
  EXPECT_TRUE(node->Get(kApp, image_.digest.ToString())) << "a digest does not age";
}

// The grace period of the store's garbage collector covers stale rows, and no older ones.
TEST_F(MirrorTest, I7RowsThatAreTooOldDoNotAnswerADigestAlone) {
  const auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  node->StopSync();  // the node can still ask the store
  v1::Change deleted;
  deleted.mutable_manifest_deleted()->set_repository(kApp);
  deleted.mutable_manifest_deleted()->set_digest(image_.digest.ToString());
  v1::Change unlinked;
  unlinked.mutable_unlink()->set_repository(kApp);
  unlinked.mutable_unlink()->set_digest(image_.blobs[1].ToString());
  store_->Publish({deleted, unlinked});

  clock_.Advance(23h);
  EXPECT_TRUE(node->Get(kApp, image_.digest.ToString()));
  EXPECT_TRUE(node->ReadBlob(kApp, image_.blobs[1]));
  EXPECT_EQ(node->Resolves(), 0);

  clock_.Advance(2h);
  EXPECT_EQ(CodeOf(node->Get(kApp, image_.digest.ToString())), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, image_.blobs[1])), ErrorCode::kBlobUnknown);
  EXPECT_TRUE(node->ReadBlob(kApp, image_.blobs[0])) << "the store still has it";
  EXPECT_EQ(node->Resolves(), 3);

  store_->Stop();
  clock_.Advance(25h);
  EXPECT_TRUE(node->ReadBlob(kApp, image_.blobs[0])) << "nobody can say that it is gone";
  EXPECT_EQ(CodeOf(node->Get(kApp, image_.digest.ToString())), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, image_.blobs[1])), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I3RejectsStaleAnswersIfThePolicySaysSo) {
  store_->Stop();
  store_->policy.set_serve_stale(false);
  store_->Start();
  const auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  StopStore(*node);
  clock_.Advance(3s);
  EXPECT_EQ(CodeOf(node->Get(kApp, "latest")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ListTags(kApp)), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I11AnIncompleteImageIsNotServed) {
  const auto node = JoinNode();
  ASSERT_TRUE(node->Get(kApp, "latest"));  // only its manifest
  StopStore(*node);
  EXPECT_EQ(CodeOf(node->Get(kApp, "latest")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Stat(kApp, "latest")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Get(kApp, image_.digest.ToString())), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I1CorruptManifestIsFetchedAgain) {
  const auto node = JoinNode();
  ASSERT_TRUE(node->Get(kApp, "latest"));
  const auto transaction = node->meta().Begin();
  ASSERT_TRUE(transaction->Put(keys::Content(image_.digest), "rotten"));
  ASSERT_TRUE(transaction->Commit());
  const auto manifest = node->Get(kApp, "latest");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(DigestOf(manifest->body), image_.digest);
  EXPECT_EQ(node->Count("outport_node_manifests_corrupt_total"), 1);
}

TEST_F(MirrorTest, ListsInPages) {
  for (const char* tag : {"a", "b", "c"}) store_->PublishTag(kApp, tag, image_.digest);
  store_->PublishRepository("other/app");
  const auto node = JoinNode();
  const auto first = node->ListTags(kApp, {"", 2});
  ASSERT_TRUE(first);
  EXPECT_THAT(first->items, ElementsAre("a", "b"));
  EXPECT_TRUE(first->more);
  const auto second = node->ListTags(kApp, {"b", 2});
  EXPECT_THAT(second->items, ElementsAre("c", "latest"));
  EXPECT_FALSE(second->more);
  EXPECT_THAT(node->ListRepositories()->items, ElementsAre(kApp, "other/app"));
}

TEST_F(MirrorTest, I3ListWaitsForTheStoresHead) {
  const auto node = JoinNode();
  clock_.Advance(3s);  // nothing is fresh until the next pong
  store_->PublishTag(kApp, "new", image_.digest);
  const auto tags = node->ListTags(kApp);
  ASSERT_TRUE(tags) << tags.error().message;
  EXPECT_THAT(tags->items, ElementsAre("latest", "new"));
  EXPECT_FALSE(tags->stale.has_value());
}

TEST_F(MirrorTest, I3NeverGoesBackwardsOverARestart) {
  auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  node->StopSync();
  const TestStore::Image newer = store_->PublishImage(kApp, "two");
  store_->PublishTag(kApp, "latest", newer.digest);
  clock_.Advance(3s);
  ASSERT_EQ(node->Stat(kApp, "latest")->digest, newer.digest);
  node.reset();
  store_->Stop();
  node = StartNode();
  EXPECT_EQ(CodeOf(node->Get(kApp, "latest")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ListTags(kApp)), ErrorCode::kUnavailable);
  EXPECT_TRUE(node->Get(kApp, image_.digest.ToString())) << "a digest does not age";

  store_->Start();
  ASSERT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  const auto back = node->Stat(kApp, "latest");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->digest, newer.digest);
  node->PullAndKeep(kApp, newer);
  StopStore(*node);
  const auto alone = node->Stat(kApp, "latest");
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_EQ(alone->digest, newer.digest);
}

TEST_F(MirrorTest, I3ListsAgreeWithShownTags) {
  const auto node = JoinNode();
  node->StopSync();
  store_->PublishTag(kApp, "a-new", image_.digest);
  store_->DeleteTag(kApp, "latest");
  store_->PublishTag(kApp, "z-new", image_.digest);
  store_->PublishRepository("new/app");
  store_->PublishTag("new/app", "v1", image_.digest);
  clock_.Advance(3s);
  ASSERT_TRUE(node->Stat(kApp, "a-new"));
  ASSERT_EQ(CodeOf(node->Stat(kApp, "latest")), ErrorCode::kManifestUnknown);
  ASSERT_TRUE(node->Stat(kApp, "z-new"));
  ASSERT_TRUE(node->Stat("new/app", "v1"));
  store_->Stop();
  const auto first = node->ListTags(kApp, {"", 1});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(first->items, ElementsAre("a-new"));
  EXPECT_TRUE(first->more);
  EXPECT_TRUE(first->stale.has_value());
  const auto second = node->ListTags(kApp, {"a-new", 1});
  EXPECT_THAT(second->items, ElementsAre("z-new"));
  EXPECT_FALSE(second->more);
  EXPECT_THAT(node->ListTags("new/app")->items, ElementsAre("v1"));
  EXPECT_THAT(node->ListRepositories()->items, ElementsAre(kApp, "new/app"));
}

TEST_F(MirrorTest, AnswersIncludeTheCallersChange) {
  const auto node = JoinNode();
  for (int i = 0; i < 20; ++i) {
    const TestStore::Image newer = store_->PublishImage(kApp, std::to_string(i));
    store_->PublishTag(kApp, "latest", newer.digest);
    EXPECT_EQ(node->Stat(kApp, "latest", store_->Head().sequence)->digest, newer.digest);
  }
  EXPECT_TRUE(node->ListTags(kApp, {"", 100}, store_->Head().sequence));
  node->StopSync();  // the replica keeps its position, so the node asks the store
  const TestStore::Image newer = store_->PublishImage(kApp, "newest");
  store_->PublishTag(kApp, "latest", newer.digest);
  EXPECT_EQ(node->Stat(kApp, "latest", store_->Head().sequence)->digest, newer.digest);
  EXPECT_EQ(CodeOf(node->ListTags(kApp, {"", 100}, store_->Head().sequence)),
            ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, AnUnknownChangeIsUnavailable) {
  const auto node = JoinNode();
  const uint64_t next = store_->Head().sequence + 1;
  EXPECT_EQ(CodeOf(node->Stat(kApp, "latest", next)), ErrorCode::kUnavailable);
  const uint64_t known = node->sequence();
  StopStore(*node);
  EXPECT_EQ(CodeOf(node->Stat(kApp, "none", known)), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Stat(kApp, "latest", next)), ErrorCode::kUnavailable);
}

TEST_F(MirrorTest, I6BlobOfAnotherRepositoryIsNotServed) {
  store_->PublishRepository("other/app");
  const auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  EXPECT_EQ(CodeOf(node->ReadBlob("other/app", image_.blobs[0])), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(node->Get("other/app", image_.digest.ToString())), ErrorCode::kManifestUnknown);
}

TEST_F(MirrorTest, AReadOnlyNodeRefusesWrites) {
  const auto node = StartNode(/*read_only=*/true);
  const auto pushed = loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
    const Caller caller;
    const RepositoryName name = *RepositoryName::Parse(kApp);
    co_return co_await node->registry().StartUpload(caller, name, DigestAlgorithm::kSha256);
  });
  EXPECT_EQ(CodeOf(pushed), ErrorCode::kUnsupported);
  EXPECT_THAT(pushed.error().message, testing::HasSubstr("push to the store"));
}

TEST_F(MirrorTest, CrowdAsksTheStoreOnce) {
  const auto node = JoinNode();
  node->StopSync();
  clock_.Advance(3s);
  std::vector<std::thread> crowd;
  for (int i = 0; i < 16; ++i) {
    crowd.emplace_back([&] { EXPECT_TRUE(node->Get(kApp, "latest")); });
  }
  for (std::thread& one : crowd) one.join();
  EXPECT_LT(node->Resolves(), 16);
  EXPECT_EQ(node->Count("outport_node_manifests_fetched_total"), 1);
}

}  // namespace
}  // namespace outport
