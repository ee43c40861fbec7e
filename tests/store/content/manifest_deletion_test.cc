#include <gmock/gmock.h>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"
#include "store/content/manifests.h"
#include "store/content/trash.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"

namespace outport::store {
namespace {

using testing::IsEmpty;

class ManifestDeletionTest : public testing::Test {
 protected:
  ~ManifestDeletionTest() override { EXPECT_THAT(ProblemsOfIndexes(*store_.meta), IsEmpty()); }

  ErrorCode Pull(const std::string& repository, const std::string& reference) {
    return CodeOf(store_.PullManifest(repository, reference));
  }
  bool Has(const std::string& key) { return *HasRow(*store_.meta, key); }

  TestContent store_;
  const std::string body_ = ImageManifest({"config"});
  const std::string digest_ = Sha256(body_).ToString();
};

TEST_F(ManifestDeletionTest, ATagIsDeletedAlone) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store_.PushManifest("a", "v2", body_).has_value());
  const auto deleted = store_.DeleteManifest("a", "v1");
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_EQ(deleted->sequence, store_.Head());
  store_.Reopen();
  EXPECT_EQ(Pull("a", "v1"), ErrorCode::kManifestUnknown);
  EXPECT_TRUE(store_.PullManifest("a", "v2").has_value());
  EXPECT_TRUE(store_.PullManifest("a", digest_).has_value());
  ASSERT_TRUE(store_.PushManifest("a", "v1", body_).has_value());
  EXPECT_TRUE(store_.PullManifest("a", "v1").has_value());
}

TEST_F(ManifestDeletionTest, ADigestIsDeletedWithItsTags) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store_.PushManifest("a", "v2", body_).has_value());
  ASSERT_TRUE(store_.PushImage("a", "other", {"other"}).has_value());
  ASSERT_TRUE(store_.PushImage("b", "v1", {"config"}).has_value());
  const auto deleted = store_.DeleteManifest("a", digest_);
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_EQ(deleted->sequence, store_.Head());
  store_.Reopen();
  for (const std::string& reference : {std::string("v1"), std::string("v2"), digest_}) {
    EXPECT_EQ(Pull("a", reference), ErrorCode::kManifestUnknown) << reference;
  }
  EXPECT_TRUE(store_.PullManifest("a", "other").has_value());
  EXPECT_TRUE(store_.PullManifest("b", "v1").has_value());
  EXPECT_TRUE(store_.PullBlob("a", Sha256("config")).has_value()) << "blobs stay";
}

TEST_F(ManifestDeletionTest, DeletingAnUnknownManifestFails) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const uint64_t head = store_.Head();
  EXPECT_EQ(CodeOf(store_.DeleteManifest("a", "v2")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(store_.DeleteManifest("a", Sha256("x").ToString())),
            ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(store_.DeleteManifest("b", "v1")), ErrorCode::kNameUnknown);
  EXPECT_EQ(CodeOf(store_.DeleteManifest("b", digest_)), ErrorCode::kNameUnknown);
  EXPECT_EQ(store_.Head(), head);
}

TEST_F(ManifestDeletionTest, AnIndexLeavesItsChildren) {
  ASSERT_TRUE(store_.PushImage("a", "child", {"config"}).has_value());
  const std::string index = IndexManifest({body_});
  ASSERT_TRUE(store_.PushManifest("a", "multi", index).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", Sha256(index).ToString()).has_value());
  EXPECT_TRUE(store_.PullManifest("a", "child").has_value());
  EXPECT_FALSE(Has(keys::ReferenceOf(Sha256(body_), Repo("a"), Sha256(index))));
}

TEST_F(ManifestDeletionTest, BytesAreFreedWithTheirLastHolder) {
  const auto free = [&](const std::string& repository) {
    const auto trashed =
        **ReadRow<v1::TrashedRow>(*store_.meta, keys::Trashed(Repo(repository), Sha256(body_)));
    const auto run = [&](MetaTransaction& transaction) {
      return FreeManifest(transaction, trashed.run(), Repo(repository), Sha256(body_));
    };
    return Transact(*store_.meta, run).has_value();
  };
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store_.PushImage("b", "v1", {"config"}).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", digest_).has_value());
  ASSERT_TRUE(free("a"));
  EXPECT_EQ(store_.PullManifest("b", "v1")->body, body_);
  ASSERT_TRUE(store_.DeleteManifest("b", digest_).has_value());
  EXPECT_TRUE(Has(keys::Content(Sha256(body_)))) << "in the trash";
  ASSERT_TRUE(free("b"));
  EXPECT_FALSE(Has(keys::Content(Sha256(body_))));
  ASSERT_TRUE(store_.PushManifest("a", "v1", body_).has_value());
  EXPECT_EQ(store_.PullManifest("a", "v1")->body, body_);
}

TEST_F(ManifestDeletionTest, ACorruptManifestCanBeDeletedAndThenItsBlobs) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const auto transaction = store_.meta->Begin();
  ASSERT_TRUE(transaction->Put(keys::Content(Sha256(body_)), "rotten").has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", digest_).has_value());
  EXPECT_EQ(Pull("a", "v1"), ErrorCode::kManifestUnknown);
  const auto deleted = store_.DeleteBlob("a", "config");
  EXPECT_TRUE(deleted.has_value()) << deleted.error().message;
}

TEST_F(ManifestDeletionTest, ThousandsOfTagsAreDeletedToo) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  std::vector<std::string> tags;
  for (int i = 0; i < 2500; ++i) tags.push_back("t" + std::to_string(i));
  ASSERT_TRUE(store_.PushTagged("a", body_, tags).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", digest_).has_value());
  const auto left = store_.content->catalog.Tags(Repo("a"), {.last = "", .limit = kMaxPage});
  EXPECT_THAT(left->items, IsEmpty());
  EXPECT_EQ(Pull("a", digest_), ErrorCode::kManifestUnknown);
}

TEST_F(ManifestDeletionTest, AReferrerVanishesFromItsSubjectsList) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const std::string signature = ImageManifest({"config"}, SubjectJson(Sha256(body_)));
  ASSERT_TRUE(store_.PushManifest("a", "sig", signature).has_value());
  ASSERT_EQ(store_.Referrers("a", Sha256(body_)), std::vector{Sha256(signature)});
  // The subject may be deleted and pushed again: its referrers stay.
  ASSERT_TRUE(store_.DeleteManifest("a", digest_).has_value());
  EXPECT_EQ(store_.Referrers("a", Sha256(body_)), std::vector{Sha256(signature)});
  ASSERT_TRUE(store_.DeleteManifest("a", Sha256(signature).ToString()).has_value());
  EXPECT_THAT(store_.Referrers("a", Sha256(body_)), IsEmpty());
}

class ManifestTagsTest : public ManifestDeletionTest {};

TEST_F(ManifestTagsTest, AreSetTogether) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  ASSERT_TRUE(store_.PushTagged("a", body_, {"v2", "v1", "v2", "latest"}).has_value());
  for (const char* tag : {"v1", "v2", "latest"}) {
    const auto pulled = store_.PullManifest("a", tag);
    ASSERT_TRUE(pulled.has_value()) << tag;
    EXPECT_EQ(pulled->info.digest, Sha256(body_));
  }
  const uint64_t head = store_.Head();
  ASSERT_TRUE(store_.PushTagged("a", body_, {"latest", "v1"}).has_value());
  EXPECT_EQ(store_.Head(), head) << "nothing is new";
}

TEST_F(ManifestTagsTest, ARejectedManifestSetsNoTag) {
  ASSERT_TRUE(store_.PushBlob("a", "other").has_value());
  EXPECT_EQ(CodeOf(store_.PushTagged("a", body_, {"v1", "v2"})), ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(Pull("a", "v1"), ErrorCode::kManifestUnknown);
}

TEST_F(ManifestTagsTest, TheyNameASha512ManifestByItsOwnDigest) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  const Digest sha512 = Digest::Of(DigestAlgorithm::kSha512, AsBytes(body_));
  const auto pushed =
      store_.content->manifests.Put(Repo("a"), sha512, "", {*Tag::Parse("v1")}, body_, kAnn);
  ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
  const auto pulled = store_.PullManifest("a", "v1");
  ASSERT_TRUE(pulled.has_value());
  EXPECT_EQ(pulled->info.digest, sha512);
  EXPECT_EQ(pulled->body, body_);
  ASSERT_TRUE(store_.DeleteManifest("a", sha512.ToString()).has_value());
  EXPECT_EQ(Pull("a", "v1"), ErrorCode::kManifestUnknown);
}

}  // namespace
}  // namespace outport::store
