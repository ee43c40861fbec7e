#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"
#include "tests/node/blobs/blob_fixture.h"

namespace outport::node {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// What a node does with its copy of a blob that the store has removed.
class DroppedCopiesTest : public BlobFixture {
 protected:
  TestBlob Cached(uint64_t seed, uint64_t size_bytes) {
    const TestBlob blob = Stored(seed, size_bytes);
    ExpectWhole(ReadWhole(blob), blob);
    EXPECT_TRUE(AwaitNoFetch());
    EXPECT_TRUE(IsCached(blob));
    return blob;
  }
  std::string ObjectOf(const TestBlob& blob) {
    v1::CachedRow row;
    EXPECT_TRUE(row.ParseFromString(**meta_.Get(keys::Cached(blob.digest()))));
    return row.object();
  }
  size_t Intents() { return meta_.Scan({.prefix = std::string(keys::kIntents)})->size(); }
  bool AwaitDropped(double count) {
    return Await([&] { return counted_.dropped_tombstone.Value() == count; });
  }
};
using I1ADroppedCopy = DroppedCopiesTest;

TEST_F(DroppedCopiesTest, ATombstoneDropsTheCopy) {
  const TestBlob gone = Cached(1, kMiB);
  const TestBlob kept = Cached(2, kMiB);
  Cache().DropTombstoned({gone.digest()});
  ASSERT_TRUE(AwaitDropped(1));
  EXPECT_FALSE(IsCached(gone));
  EXPECT_TRUE(IsCached(kept));
  EXPECT_EQ(FilesUnder("blobs").size(), 1u);
  EXPECT_TRUE(Await([&] { return Intents() == 0; }));
}

TEST_F(DroppedCopiesTest, ATombstoneWithoutACopyDropsNothing) {
  const TestBlob kept = Cached(1, kMiB);
  Cache().DropTombstoned({TestBlob(2, 10).digest()});
  Cache().DropTombstoned({kept.digest(), kept.digest()});
  ASSERT_TRUE(AwaitDropped(1)) << "the second tombstone comes after the first one";
}

TEST_F(DroppedCopiesTest, ADroppedBlobIsFetchedAgain) {
  const TestBlob blob = Cached(1, kMiB);
  Cache().DropTombstoned({blob.digest()});
  ASSERT_TRUE(AwaitDropped(1));
  ExpectWhole(ReadWhole(blob), blob);  // a client has pushed it again
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_TRUE(IsCached(blob));
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(I1ADroppedCopy, IsReadToItsEndByItsReaders) {
  const TestBlob blob = Cached(1, 4 * kMiB);
  auto body = Open(blob.digest());
  ASSERT_TRUE(body.has_value());
  Cache().DropTombstoned({blob.digest()});
  ASSERT_TRUE(AwaitDropped(1));
  ASSERT_TRUE(FilesUnder("blobs").empty());
  const ReadOutcome outcome =
      RunToEnd([&]() -> net::awaitable<ReadOutcome> { return ReadToEnd(**body); });
  ExpectWhole(outcome, blob);
  EXPECT_EQ(store_.streams(), 1);
}

TEST_F(I1ADroppedCopy, OfAFetchInProgressServesTheReadersAndIsNotKept) {
  const TestBlob blob = Stored(1, 4 * kMiB);
  store_.Play({.hold_at = 2 * kMiB});
  auto reader = StartReading(blob);
  ASSERT_TRUE(store_.AwaitHeld());
  Cache().DropTombstoned({blob.digest()});
  store_.Release();
  ExpectWhole(reader.get(), blob);
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_FALSE(IsCached(blob));
  EXPECT_TRUE(FilesUnder("blobs").empty());
  EXPECT_TRUE(FilesUnder("fetch").empty());
  EXPECT_EQ(Intents(), 0u);
  EXPECT_EQ(counted_.dropped_tombstone.Value(), 1);
}

// The readers of the fetch that began before the tombstone share its bytes; a later reader fetches.
TEST_F(DroppedCopiesTest, AFetchAfterTheTombstoneIsKept) {
  const TestBlob blob = Cached(1, kMiB);
  Cache().DropTombstoned({blob.digest()});
  ASSERT_TRUE(AwaitDropped(1));
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_TRUE(IsCached(blob));
}

TEST_F(DroppedCopiesTest, OnlyTheNamedObjectOfAnUnlinkedBlobIsDropped) {
  const TestBlob gone = Cached(1, kMiB);
  const TestBlob newer = Cached(2, kMiB);
  ASSERT_TRUE(Cache().DropUnlinked(
      {{gone.digest(), ObjectOf(gone)}, {newer.digest(), "the object of an earlier copy"}}));
  EXPECT_FALSE(IsCached(gone));
  EXPECT_TRUE(IsCached(newer));
  EXPECT_EQ(FilesUnder("blobs").size(), 1u);
  EXPECT_EQ(counted_.dropped_unlinked.Value(), 1);
}

// The process ends after the commit of the row's deletion, and before the object is removed.
TEST_F(DroppedCopiesTest, TheNextProcessRemovesTheObjectOfADroppedCopy) {
  const TestBlob blob = Cached(1, kMiB);
  const std::string object = ObjectOf(blob);
  ASSERT_TRUE(Await([&] {  // the sync of the copy, which writes its row, is over
    v1::CachedRow row;
    return row.ParseFromString(**meta_.Get(keys::Cached(blob.digest()))) && row.durable();
  }));
  CloseCache();
  const auto transaction = meta_.Begin();
  v1::IntentRow intent;
  intent.set_digest(blob.digest().ToString());
  ASSERT_TRUE(transaction->Delete(keys::Cached(blob.digest())));
  ASSERT_TRUE(transaction->Put(keys::Intent(object), intent.SerializeAsString()));
  ASSERT_TRUE(transaction->Commit(MetaTransaction::Durability::kBuffered));
  ASSERT_EQ(FilesUnder("blobs").size(), 1u);
  EXPECT_FALSE(IsCached(blob));  // opens the cache
  EXPECT_TRUE(FilesUnder("blobs").empty());
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(DroppedCopiesTest, ManyTombstonesAreDroppedInSteps) {
  constexpr size_t kBlobs = 3;
  std::vector<Digest> digests;
  for (uint64_t i = 0; i < kBlobs; ++i) digests.push_back(Cached(i, 1000).digest());
  for (uint64_t i = 0; i < 2 * BlobStore::kMaxRemovals; ++i) {
    digests.insert(digests.begin(), TestBlob(100 + i, 1).digest());
  }
  Cache().DropTombstoned(digests);
  EXPECT_TRUE(AwaitDropped(kBlobs));
  EXPECT_TRUE(Await([&] { return FilesUnder("blobs").empty(); }));
}

}  // namespace
}  // namespace outport::node
