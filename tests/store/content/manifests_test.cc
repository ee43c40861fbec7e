#include "store/content/manifests.h"

#include "registry/records/rows.h"
#include "store/content/manifest_push.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

class ManifestsTest : public testing::Test {
 protected:
  bool Has(const std::string& key) { return *HasRow(*store_.meta, key); }
  TestContent store_;
};

TEST_F(ManifestsTest, AnImageCanBePulledByTagAndDigest) {
  const auto pushed = store_.PushImage("team/app", "v1", {"config", "layer"});
  ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
  EXPECT_EQ(pushed->sequence, store_.Head());
  const std::string body = ImageManifest({"config", "layer"});
  for (const std::string& reference : {std::string("v1"), Sha256(body).ToString()}) {
    SCOPED_TRACE(reference);
    const auto pulled = store_.PullManifest("team/app", reference);
    ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
    EXPECT_EQ(pulled->body, body);
    EXPECT_EQ(pulled->info.digest, Sha256(body));
    EXPECT_EQ(pulled->info.media_type, media_type::kOciManifest);
    EXPECT_EQ(pulled->info.size_bytes, body.size());
  }
}

TEST_F(ManifestsTest, UnknownNamesAndReferencesAreReported) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  EXPECT_EQ(CodeOf(store_.PullManifest("b", "v1")), ErrorCode::kNameUnknown);
  EXPECT_EQ(CodeOf(store_.PullManifest("a", "v2")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(store_.PullManifest("a", Sha256("x").ToString())), ErrorCode::kManifestUnknown);
  // A manifest of one repository does not exist in another one.
  ASSERT_TRUE(store_.PushBlob("b", "config").has_value());
  EXPECT_EQ(CodeOf(store_.PullManifest("b", Sha256(ImageManifest({"config"})).ToString())),
            ErrorCode::kManifestUnknown);
}

TEST_F(ManifestsTest, EveryMissingBlobIsNamedOnceAndNothingIsWritten) {
  ASSERT_TRUE(store_.PushBlob("a", "here").has_value());
  ASSERT_TRUE(store_.PushBlob("other", "elsewhere").has_value());
  const uint64_t head = store_.Head();
  const auto refused =
      store_.PushManifest("a", "v1", ImageManifest({"here", "elsewhere", "gone", "gone"}));
  ASSERT_EQ(CodeOf(refused), ErrorCode::kManifestBlobUnknown);
  std::vector<std::string> missing = {Sha256("elsewhere").ToString(), Sha256("gone").ToString()};
  std::ranges::sort(missing);
  EXPECT_EQ(refused.error().items, missing);
  EXPECT_EQ(store_.Head(), head);
  EXPECT_EQ(CodeOf(store_.PullManifest("a", "v1")), ErrorCode::kManifestUnknown);
}

TEST_F(ManifestsTest, ALargePushThatLacksABlobWaitsForNoLock) {
  ASSERT_TRUE(store_.PushBlob("a", "here").has_value());
  const std::unique_ptr<MetaTransaction> other = store_.meta->Begin();
  ASSERT_TRUE(other->GetForUpdate(keys::Blob(Sha256("here"))).has_value());
  std::vector<std::string> blobs(kLargeDescriptors, "here");
  blobs.push_back("gone");
  const auto refused = store_.PushManifest("a", "v1", ImageManifest(blobs));
  ASSERT_EQ(CodeOf(refused), ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(refused.error().items, std::vector{Sha256("gone").ToString()});
}

TEST_F(ManifestsTest, AnIndexNeedsItsChildrenInThisRepository) {
  const std::string child = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "child", {"config"}).has_value());
  ASSERT_TRUE(store_.PushManifest("a", "multi", IndexManifest({child})).has_value());
  const auto refused = store_.PushManifest("b", "multi", IndexManifest({child}));
  ASSERT_EQ(CodeOf(refused), ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(refused.error().items, std::vector{Sha256(child).ToString()});
  EXPECT_TRUE(Has(keys::ReferenceOf(Sha256(child), Repo("a"), Sha256(IndexManifest({child})))));
  EXPECT_TRUE(Has(keys::ReferenceOf(Sha256("config"), Repo("a"), Sha256(child))));
}

TEST_F(ManifestsTest, ASubjectNeedNotExistAndIsAcknowledged) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  const std::string body = ImageManifest({"config"}, SubjectJson(Sha256("absent")));
  const auto pushed = store_.PushManifest("a", Sha256(body).ToString(), body);
  ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
  EXPECT_EQ(pushed->subject, Sha256("absent"));
  EXPECT_TRUE(Has(keys::Referrer(Repo("a"), Sha256("absent"), Sha256(body))));
}

// I1: a corrupt manifest is not served, and a push of the right bytes replaces it.
TEST_F(ManifestsTest, I1CorruptBytesAreNotServedUntilTheyArePushedAgain) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const std::string body = ImageManifest({"config"});
  std::string rotten = body;
  rotten.back() = ' ';
  const auto transaction = store_.meta->Begin();
  ASSERT_TRUE(transaction->Put(keys::Content(Sha256(body)), rotten).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  EXPECT_EQ(CodeOf(store_.PullManifest("a", "v1")), ErrorCode::kCorrupt);

  ASSERT_TRUE(store_.PushManifest("a", "v1", body).has_value());
  const auto pulled = store_.PullManifest("a", "v1");
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->body, body);
}

TEST_F(ManifestsTest, ADigestOfOtherBytesIsInvalid) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  EXPECT_EQ(CodeOf(store_.PushManifest("a", Sha256("x").ToString(), ImageManifest({"config"}))),
            ErrorCode::kDigestInvalid);
}

TEST_F(ManifestsTest, IsKeptUnderTheDigestItWasPushedWith) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  const std::string body = ImageManifest({"config"});
  const Digest sha512 = Digest::Of(DigestAlgorithm::kSha512, AsBytes(body));
  const auto pushed = store_.PushManifest("a", sha512.ToString(), body);
  ASSERT_TRUE(pushed.has_value());
  EXPECT_EQ(pushed->digest, sha512);
  EXPECT_EQ(store_.PullManifest("a", sha512.ToString())->body, body);
}

TEST_F(ManifestsTest, AMovedTagLeavesNoTraceAtItsOldManifest) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"one"}).has_value());
  ASSERT_TRUE(store_.PushImage("a", "v1", {"two"}).has_value());
  const Digest one = Sha256(ImageManifest({"one"}));
  const Digest two = Sha256(ImageManifest({"two"}));
  EXPECT_EQ(store_.PullManifest("a", "v1")->info.digest, two);
  EXPECT_TRUE(store_.PullManifest("a", one.ToString()).has_value());
  EXPECT_FALSE(Has(keys::Tagged(Repo("a"), one, *Tag::Parse("v1"))));
  EXPECT_TRUE(Has(keys::Tagged(Repo("a"), two, *Tag::Parse("v1"))));
}

TEST_F(ManifestsTest, PushingAgainChangesNothing) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config", "layer"}).has_value());
  const uint64_t head = store_.Head();
  const auto again = store_.PushImage("a", "v1", {"config", "layer"});
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->sequence, head);
  EXPECT_EQ(store_.Head(), head);
  store_.Reopen();
  EXPECT_EQ(store_.Head(), head);
}

TEST_F(ManifestsTest, InvalidBodiesAreRejected) {
  for (const char* body : {"", "{", "[]", R"({"schemaVersion":1})"}) {
    SCOPED_TRACE(body);
    EXPECT_EQ(CodeOf(store_.PushManifest("a", "v1", body)), ErrorCode::kManifestInvalid);
  }
  EXPECT_EQ(store_.Head(), 0u);
}

}  // namespace
}  // namespace outport::store
