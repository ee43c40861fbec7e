#include "store/content/collection.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "registry/records/rows.h"
#include "store/content/manifest_removal.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/store/content/replay.h"

namespace outport::store {
namespace {

using std::chrono::minutes;
using testing::IsEmpty;

// A transaction that calls a function once, between its first look for a row and what follows.
class InterruptedTransaction final : public MetaTransaction {
 public:
  InterruptedTransaction(MetaTransaction& inner, std::string key, std::function<void()> interrupt)
      : inner_(inner), key_(std::move(key)), interrupt_(std::move(interrupt)) {}
  Result<std::optional<std::string>> Get(std::string_view key) override {
    auto value = inner_.Get(key);
    if (key == key_ && interrupt_) std::exchange(interrupt_, nullptr)();
    return value;
  }
  Result<std::optional<std::string>> GetForUpdate(std::string_view key) override {
    locked.emplace_back(key);
    return inner_.GetForUpdate(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) override { return inner_.Scan(range); }
  Result<void> Put(std::string_view key, std::string_view value) override {
    return inner_.Put(key, value);
  }
  Result<void> Delete(std::string_view key) override { return inner_.Delete(key); }
  void Append(std::string record) override { inner_.Append(std::move(record)); }
  void Audit(std::string record) override { inner_.Audit(std::move(record)); }
  Result<void> TrimChanges(uint64_t first, uint64_t last) override {
    return inner_.TrimChanges(first, last);
  }
  Result<void> TrimAudit(uint64_t first, uint64_t last) override {
    return inner_.TrimAudit(first, last);
  }
  Result<LogPosition> Commit(Durability durability) override { return inner_.Commit(durability); }

  std::vector<std::string> locked;  // the keys of GetForUpdate()

 private:
  MetaTransaction& inner_;
  const std::string key_;
  std::function<void()> interrupt_;
};

class CollectionTest : public testing::Test {
 protected:
  ~CollectionTest() override {
    EXPECT_THAT(ProblemsOfIndexes(*store_.meta), IsEmpty());
    EXPECT_EQ(ReplayLog(*store_.meta), ScanState(*store_.meta));
  }
  v1::LinkRow Link(const std::string& repository, const std::string& bytes) {
    return **ReadRow<v1::LinkRow>(*store_.meta, keys::Link(Repo(repository), Sha256(bytes)));
  }
  bool IsCondemned(const std::string& repository, const std::string& bytes) {
    return Link(repository, bytes).condemned_ms() != 0;
  }
  bool IsCandidate(const std::string& repository, const std::string& manifest) {
    return *HasRow(*store_.meta, keys::Untagged(Repo(repository), Sha256(manifest)));
  }
  v1::BlobRow Blob(const std::string& bytes) {
    return **ReadRow<v1::BlobRow>(*store_.meta, keys::Blob(Sha256(bytes)));
  }
  std::string Text(const std::string& manifest) { return Sha256(manifest).ToString(); }

  TestContent store_;
};

TEST_F(CollectionTest, TheRemovalOfTheLastManifestCondemnsItsBlobs) {
  const std::string first = ImageManifest({"config", "shared"});
  const std::string second = ImageManifest({"config", "own", "shared"});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config", "shared"}).has_value());
  ASSERT_TRUE(store_.PushImage("a", "v2", {"config", "own", "shared"}).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", Text(second)).has_value());
  EXPECT_TRUE(IsCondemned("a", "own"));
  EXPECT_FALSE(IsCondemned("a", "shared"));
  store_.clock.Advance(minutes(1));
  ASSERT_TRUE(store_.DeleteManifest("a", Text(first)).has_value());
  EXPECT_EQ(Link("a", "shared").condemned_ms(), store_.store_clock.NowMs());
}

TEST_F(CollectionTest, ADeletedTagCondemnsNothing) {
  const std::string image = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  EXPECT_FALSE(IsCandidate("a", image));
  ASSERT_TRUE(store_.DeleteManifest("a", "v1").has_value());
  EXPECT_TRUE(IsCandidate("a", image));
  EXPECT_FALSE(IsCondemned("a", "config"));
}

TEST_F(CollectionTest, AMovedTagMakesTheOldManifestACandidate) {
  const std::string old = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "latest", {"config"}).has_value());
  ASSERT_TRUE(store_.PushImage("a", "latest", {"config", "more"}).has_value());
  EXPECT_TRUE(IsCandidate("a", old));
  ASSERT_TRUE(store_.PushManifest("a", "again", old).has_value());
  EXPECT_FALSE(IsCandidate("a", old));
}

TEST_F(CollectionTest, AnIndexKeepsItsChildrenUntilItGoes) {
  const std::string child = ImageManifest({"config"});
  const std::string index = IndexManifest({child});
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  ASSERT_TRUE(store_.PushManifest("a", Text(child), child).has_value());
  EXPECT_TRUE(IsCandidate("a", child));
  ASSERT_TRUE(store_.PushManifest("a", "v1", index).has_value());
  EXPECT_FALSE(IsCandidate("a", child));
  ASSERT_TRUE(store_.DeleteManifest("a", Text(index)).has_value());
  EXPECT_TRUE(IsCandidate("a", child));
}

// An image is also a layer of another image, and a child of an index.
class BothKindsTest : public CollectionTest {
 protected:
  BothKindsTest() {
    EXPECT_TRUE(store_.PushImage("a", "child", {"config"}).has_value());
    EXPECT_TRUE(store_.DeleteManifest("a", "child").has_value());
    EXPECT_TRUE(store_.PushImage("a", "image", {"config", both_}).has_value());
    EXPECT_TRUE(store_.PushManifest("a", "index", index_).has_value());
    EXPECT_FALSE(IsCandidate("a", both_));
    EXPECT_FALSE(IsCondemned("a", both_));
  }
  const std::string both_ = ImageManifest({"config"});
  const std::string image_ = ImageManifest({"config", both_});
  const std::string index_ = IndexManifest({both_});
};

TEST_F(BothKindsTest, TheLastReferenceOfABlobGoesWithAnIndex) {
  ASSERT_TRUE(store_.DeleteManifest("a", Text(image_)).has_value());
  EXPECT_FALSE(IsCondemned("a", both_)) << "the index refers to the digest";
  ASSERT_TRUE(store_.DeleteManifest("a", Text(index_)).has_value());
  EXPECT_TRUE(IsCondemned("a", both_));
  EXPECT_TRUE(IsCandidate("a", both_));
}

TEST_F(BothKindsTest, TheLastReferenceOfAManifestGoesWithAnImage) {
  ASSERT_TRUE(store_.DeleteManifest("a", Text(index_)).has_value());
  const auto sweep = [&](MetaTransaction& transaction) {  // the image refers to the digest
    return Collection::DropCandidate(transaction, Repo("a"), Sha256(both_));
  };
  ASSERT_TRUE(Transact(*store_.meta, sweep).has_value());
  EXPECT_FALSE(IsCondemned("a", both_));
  ASSERT_TRUE(store_.DeleteManifest("a", Text(image_)).has_value());
  EXPECT_TRUE(IsCandidate("a", both_));
  EXPECT_TRUE(IsCondemned("a", both_));
}

TEST_F(CollectionTest, AReferenceOfAManifestThatComesBackMeanwhileStays) {
  const std::string image = ImageManifest({"config"});
  const std::string reference = keys::ReferenceOf(Sha256("config"), Repo("a"), Sha256(image));
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const auto corrupt = [&](MetaTransaction& transaction) {
    return transaction.Put(keys::Content(Sha256(image)), "{");
  };
  ASSERT_TRUE(Transact(*store_.meta, corrupt).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", Text(image)).has_value());
  ASSERT_TRUE(*HasRow(*store_.meta, reference))
      << "nobody knows the children of a corrupt manifest";

  const std::unique_ptr<MetaTransaction> inner = store_.meta->Begin();
  InterruptedTransaction transaction(*inner, keys::ManifestOf(Repo("a"), Sha256(image)), [&] {
    ASSERT_TRUE(store_.PushManifest("a", "v1", image).has_value());
  });
  const auto found = Collection::FindReference(transaction, Repo("a"), Sha256("config"));
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(*found, Sha256(image));
  ASSERT_TRUE(inner->Commit().has_value());
  EXPECT_TRUE(*HasRow(*store_.meta, reference));
}

TEST_F(CollectionTest, AReferenceWithoutItsManifestIsDeleted) {
  const std::string reference = keys::ReferenceOf(Sha256("config"), Repo("a"), Sha256("gone"));
  const auto write = [&](MetaTransaction& transaction) { return transaction.Put(reference, {}); };
  ASSERT_TRUE(Transact(*store_.meta, write).has_value());
  std::optional<Digest> found;
  const auto find = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(found, Collection::FindReference(transaction, Repo("a"), Sha256("config")));
    return {};
  };
  ASSERT_TRUE(Transact(*store_.meta, find).has_value());
  EXPECT_EQ(found, std::nullopt);
  EXPECT_FALSE(*HasRow(*store_.meta, reference));
}

TEST_F(CollectionTest, OneTransactionDeletesFewReferencesWithoutManifests) {
  constexpr size_t kRows = 2 * Collection::kMaxStale + 1;
  const auto write = [&](MetaTransaction& transaction) -> Result<void> {
    for (size_t i = 0; i < kRows; ++i) {
      const Digest gone = Sha256("gone " + std::to_string(i));
      TRY_VOID(transaction.Put(keys::ReferenceOf(Sha256("config"), Repo("a"), gone), {}));
    }
    return {};
  };
  ASSERT_TRUE(Transact(*store_.meta, write).has_value());
  const auto left = [&] {
    const std::string prefix = keys::ReferencesTo(Sha256("config"), Repo("a"));
    return store_.meta->Scan({.prefix = prefix, .after = {}})->size();
  };
  for (const size_t expected : {kRows - Collection::kMaxStale, size_t{1}, size_t{0}}) {
    std::optional<Digest> found;
    bool stale_left = false;
    const auto find = [&](MetaTransaction& transaction) -> Result<void> {
      TRY(found, Collection::FindReference(transaction, Repo("a"), Sha256("config"), &stale_left));
      return {};
    };
    ASSERT_TRUE(Transact(*store_.meta, find).has_value());
    EXPECT_EQ(found, std::nullopt);
    EXPECT_EQ(left(), expected);
    EXPECT_EQ(stale_left, expected > 0);
  }
}

// Also if the manifest is not there when the removal looks for it, because a push brings it then.
TEST_F(CollectionTest, ARemovalLocksTheSubjectInTheOrderOfAllTransactions) {
  const RepositoryName repository = Repo("a");
  const Digest own = Sha256("own");
  const Digest subject = Sha256("subject");
  const Collection collection(store_.times, store_.store_clock.NowMs());
  const Auditor auditor(kAnn, store_.clock);
  const ManifestRemoval removal(
      {.repository = repository,
       .digest = own,
       .blobs = {},
       .manifests = {Descriptor{.media_type = {}, .digest = Sha256("child")}},
       .subject = subject,
       .collection = collection,
       .run = {},
       .auditor = auditor});
  const std::unique_ptr<MetaTransaction> inner = store_.meta->Begin();
  InterruptedTransaction transaction(*inner, "", nullptr);
  ASSERT_TRUE(removal.Lock(transaction).has_value());
  std::vector<std::string> locked = std::move(transaction.locked);
  std::erase_if(locked, [](const std::string& key) { return !key.starts_with(keys::kManifests); });
  EXPECT_THAT(locked, testing::UnorderedElementsAre(keys::ManifestOf(repository, own),
                                                    keys::ManifestOf(repository, subject),
                                                    keys::ManifestOf(repository, Sha256("child"))));
  EXPECT_TRUE(std::ranges::is_sorted(locked));
}

TEST_F(CollectionTest, ASubjectKeepsItsReferrersUntilItGoes) {
  const std::string subject = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const std::string signature = ImageManifest({"config"}, SubjectJson(Sha256(subject)));
  ASSERT_TRUE(store_.PushManifest("a", Text(signature), signature).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", Text(subject)).has_value());
  EXPECT_TRUE(IsCandidate("a", signature));
  EXPECT_FALSE(IsCondemned("a", "config"));
}

TEST_F(CollectionTest, ADeletedManifestWaitsInTheTrashWithItsBytes) {
  const std::string image = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store_.DeleteManifest("a", Text(image)).has_value());
  EXPECT_EQ(CodeOf(store_.PullManifest("a", Text(image))), ErrorCode::kManifestUnknown);
  const auto trashed =
      **ReadRow<v1::TrashedRow>(*store_.meta, keys::Trashed(Repo("a"), Sha256(image)));
  const auto row = **ReadRow<v1::TrashRow>(
      *store_.meta, keys::Trash(trashed.run(), "manifest", "a", Text(image)));
  EXPECT_EQ(row.manifest().row().size_bytes(), image.size());
  const auto tag =
      **ReadRow<v1::TrashRow>(*store_.meta, keys::Trash(trashed.run(), "tag", "a", "v1"));
  EXPECT_EQ(tag.tag().row().digest(), Text(image));
  EXPECT_EQ(**store_.meta->Get(keys::Content(Sha256(image))), image);
  ASSERT_TRUE(store_.PushManifest("a", "v1", image).has_value());
  EXPECT_FALSE(*HasRow(*store_.meta, keys::Trashed(Repo("a"), Sha256(image))));
  EXPECT_FALSE(IsCondemned("a", "config"));
}

TEST_F(CollectionTest, ABlobGoesWithItsLastLinkAndAPushBringsItBack) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store_.Mount("b", "layer", "a").has_value());
  ASSERT_TRUE(store_.DeleteBlob("a", "layer").has_value());
  EXPECT_EQ(Blob("layer").state(), v1::BLOB_STATE_LIVE);
  ASSERT_TRUE(store_.DeleteBlob("b", "layer").has_value());
  const v1::BlobRow trashed = Blob("layer");
  EXPECT_EQ(trashed.state(), v1::BLOB_STATE_TRASHED);
  EXPECT_EQ(CodeOf(store_.Mount("c", "layer", "b")), ErrorCode::kBlobUnknown);
  EXPECT_EQ(store_.Files("blobs").size(), 1u);
  ASSERT_TRUE(store_.PushBlob("c", "layer").has_value());
  EXPECT_EQ(Blob("layer").state(), v1::BLOB_STATE_LIVE);
  EXPECT_NE(Blob("layer").object(), trashed.object());
  EXPECT_EQ(store_.Files("blobs").size(), 1u);
  EXPECT_EQ(*store_.PullBlob("c", Sha256("layer")), "layer");
  store_.Reopen();
  EXPECT_EQ(*store_.PullBlob("c", Sha256("layer")), "layer");
}

TEST_F(CollectionTest, ATouchPromisesTheBlobForTheRestOfItsLease) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  const uint64_t head = store_.Head();
  const auto touch = [&] { return store_.content->blobs.Touch(Repo("a"), Sha256("layer")); };
  EXPECT_EQ(touch()->lease_left_ms, store_.times.lease.count());
  store_.clock.Advance(minutes(20));
  EXPECT_EQ(touch()->lease_left_ms, store_.times.lease.count() - 20 * 60'000);
  store_.clock.Advance(minutes(20));
  EXPECT_EQ(touch()->lease_left_ms, store_.times.lease.count());
  EXPECT_EQ(Link("a", "layer").lease_until_ms(),
            store_.store_clock.NowMs() + store_.times.lease.count());
  EXPECT_EQ(store_.Head(), head) << "a touch is no change";
  EXPECT_EQ(CodeOf(store_.content->blobs.Touch(Repo("a"), Sha256("none"))),
            ErrorCode::kBlobUnknown);
}

TEST_F(CollectionTest, ATouchOfAManifestRenewsItsLease) {
  const std::string image = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  store_.clock.Advance(minutes(40));
  const auto touched = store_.content->manifests.Touch(Repo("a"), Ref("v1"));
  ASSERT_TRUE(touched.has_value()) << touched.error().message;
  EXPECT_EQ(touched->info.digest, Sha256(image));
  EXPECT_EQ(touched->lease_left_ms, store_.times.lease.count());
  EXPECT_EQ(CodeOf(store_.content->manifests.Touch(Repo("a"), Ref("v9"))),
            ErrorCode::kManifestUnknown);
}

TEST_F(CollectionTest, APushOfTheSameManifestRenewsTheLeasesOfItsBlobs) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const int64_t first = Link("a", "config").lease_until_ms();
  store_.clock.Advance(minutes(40));
  ASSERT_TRUE(store_.PushManifest("a", "v1", ImageManifest({"config"})).has_value());
  EXPECT_EQ(Link("a", "config").lease_until_ms(), first + 40 * 60'000);
}

}  // namespace
}  // namespace outport::store
