#include "store/content/touch.h"

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"
#include "tests/support/fault_disk.h"

namespace outport::store {
namespace {

using std::chrono::minutes;

class TouchTest : public testing::Test {
 protected:
  static int64_t LeaseOfBlob(TestContent& store, const std::string& bytes) {
    return (*ReadRow<v1::LinkRow>(*store.meta, keys::Link(Repo("a"), Sha256(bytes))))
        ->lease_until_ms();
  }
  static int64_t LeaseOfManifest(TestContent& store, const std::string& body) {
    return (*ReadRow<v1::ManifestRow>(*store.meta, keys::ManifestOf(Repo("a"), Sha256(body))))
        ->lease_until_ms();
  }
  static constexpr int64_t kLease = std::chrono::milliseconds(std::chrono::hours(1)).count();
};

TEST_F(TouchTest, ABlobsLeaseIsRenewedWhenLessThanHalfIsLeft) {
  TestContent store;
  ASSERT_TRUE(store.PushBlob("a", "x"));
  const int64_t pushed = LeaseOfBlob(store, "x");
  store.clock.Advance(minutes(10));
  const auto early = TouchBlob(*store.content, Repo("a"), Sha256("x"));
  ASSERT_TRUE(early);
  EXPECT_EQ(early->info.size_bytes, 1u);
  EXPECT_EQ(early->lease_left_ms, pushed - store.store_clock.NowMs());
  EXPECT_EQ(LeaseOfBlob(store, "x"), pushed);
  store.clock.Advance(minutes(30));
  const auto late = TouchBlob(*store.content, Repo("a"), Sha256("x"));
  ASSERT_TRUE(late);
  EXPECT_EQ(late->lease_left_ms, kLease);
  EXPECT_EQ(LeaseOfBlob(store, "x"), store.store_clock.NowMs() + kLease);
}

TEST_F(TouchTest, AManifestsLeaseIsRenewedByTagAndByDigest) {
  TestContent store;
  const std::string body = ImageManifest({"x"});
  ASSERT_TRUE(store.PushImage("a", "v1", {"x"}));
  for (const std::string& reference : {std::string("v1"), Sha256(body).ToString()}) {
    SCOPED_TRACE(reference);
    store.clock.Advance(minutes(31));
    const auto touched = TouchManifest(*store.content, Repo("a"), Ref(reference));
    ASSERT_TRUE(touched);
    EXPECT_EQ(touched->info.digest.ToString(), Sha256(body).ToString());
    EXPECT_EQ(touched->lease_left_ms, kLease);
    EXPECT_EQ(LeaseOfManifest(store, body), store.store_clock.NowMs() + kLease);
  }
}

TEST_F(TouchTest, AbsentContentHasNoLease) {
  TestContent store;
  ASSERT_TRUE(store.PushBlob("a", "x"));
  EXPECT_EQ(CodeOf(TouchBlob(*store.content, Repo("a"), Sha256("y"))), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(TouchBlob(*store.content, Repo("b"), Sha256("x"))), ErrorCode::kNameUnknown);
  EXPECT_EQ(CodeOf(TouchManifest(*store.content, Repo("a"), Ref("v1"))),
            ErrorCode::kManifestUnknown);
}

// A lease that a power cut could take away would promise nothing.
TEST_F(TouchTest, I7ALeaseIsDurable) {
  TemporaryFolder folder;
  FaultDisk disk(folder.path());
  TestContent store(folder.path(), disk.files(), disk.env());
  ASSERT_TRUE(store.Open());
  ASSERT_TRUE(store.PushBlob("a", "x"));
  store.clock.Advance(minutes(31));
  ASSERT_TRUE(TouchBlob(*store.content, Repo("a"), Sha256("x")));
  const int64_t lease = LeaseOfBlob(store, "x");
  disk.CutAt(1);
  store.Close();
  disk.DropUnsynced();
  ASSERT_TRUE(store.Open());
  EXPECT_EQ(LeaseOfBlob(store, "x"), lease);
}

// The push may find space again while the lease lasts.
TEST_F(TouchTest, WithoutFreeSpaceALeaseBeginsAllTheSame) {
  TestContent store;
  const std::string body = ImageManifest({"x"});
  ASSERT_TRUE(store.PushImage("a", "v1", {"x"}));
  Content full({.meta = *store.meta,
                .bytes = *store.bytes,
                .clock = store.clock,
                .store_clock = store.store_clock,
                .owner = *store.owner,
                .times = {},
                .metrics = store.metrics,
                .log = Log::Nowhere(),
                .headroom_bytes = UINT64_MAX / 2});
  store.clock.Advance(minutes(31));
  const auto found = TouchBlob(full, Repo("a"), Sha256("x"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->lease_left_ms, kLease);
  EXPECT_EQ(TouchManifest(full, Repo("a"), Ref("v1"))->lease_left_ms, kLease);
  EXPECT_EQ(LeaseOfBlob(store, "x"), store.store_clock.NowMs() + kLease);
  EXPECT_EQ(LeaseOfManifest(store, body), store.store_clock.NowMs() + kLease);
  EXPECT_EQ(CodeOf(TouchBlob(full, Repo("a"), Sha256("y"))), ErrorCode::kBlobUnknown);
}

TEST_F(TouchTest, AfterAFailedWriteTheContentIsFoundWithoutALease) {
  TemporaryFolder folder;
  FaultDisk disk(folder.path());
  TestContent store(folder.path(), disk.files(), disk.env());
  ASSERT_TRUE(store.Open());
  ASSERT_TRUE(store.PushBlob("a", "x"));
  store.clock.Advance(minutes(31));
  disk.CutAt(1);
  const auto found = TouchBlob(*store.content, Repo("a"), Sha256("x"));
  ASSERT_TRUE(store.meta->WhyReadOnly().has_value());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->lease_left_ms, 0);
  store.Close();
  disk.DropUnsynced();
}

}  // namespace
}  // namespace outport::store
