#include "store/content/blobs.h"

#include <fstream>

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"
#include "tests/support/forwarding_blob_store.h"

namespace outport::store {
namespace {

// Counts the reads of one row.
class CountingStore final : public MetaStore {
 public:
  CountingStore(MetaStore& inner, std::string key) : inner_(inner), key_(std::move(key)) {}
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    if (key == key_) ++reads;
    return inner_.Get(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    return inner_.Scan(range);
  }
  Result<LogPosition> Head() const override { return inner_.Head(); }
  Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                         size_t limit_bytes) const override {
    return inner_.ReadLog(from, limit, limit_bytes);
  }
  Result<LogPosition> AuditHead() const override { return inner_.AuditHead(); }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                           size_t limit_bytes) const override {
    return inner_.ReadAudit(from, limit, limit_bytes);
  }
  std::unique_ptr<MetaTransaction> Begin() override { return inner_.Begin(); }
  std::unique_ptr<MetaView> Snapshot() override { return inner_.Snapshot(); }
  std::optional<Error> WhyReadOnly() const override { return inner_.WhyReadOnly(); }
  Notifier& HeadChanged() override { return inner_.HeadChanged(); }

  mutable int reads = 0;

 private:
  MetaStore& inner_;
  const std::string key_;
};

// Lets a push come between the look at a row and the first opening of its object.
class PushOnOpen final : public ForwardingBlobStore {
 public:
  PushOnOpen(BlobStore& below, std::function<void()> push)
      : ForwardingBlobStore(below), push_(std::move(push)) {}
  Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) override {
    if (opens++ == 0) push_();
    return below().Open(location);
  }

  int opens = 0;

 private:
  const std::function<void()> push_;
};

class BlobsTest : public testing::Test {
 protected:
  v1::BlobRow Row(const Digest& digest) {
    const auto row = ReadRow<v1::BlobRow>(*store_.meta, keys::Blob(digest));
    EXPECT_TRUE(row.has_value() && row->has_value());
    return row->value_or(v1::BlobRow());
  }
  // Returns the row of the link in the repository "a".
  v1::LinkRow Link(const std::string& bytes) {
    const auto row = ReadRow<v1::LinkRow>(*store_.meta, keys::Link(Repo("a"), Sha256(bytes)));
    EXPECT_TRUE(row.has_value() && row->has_value());
    return row->value_or(v1::LinkRow());
  }
  size_t Intents() {
    return store_.meta->Scan({.prefix = std::string(keys::kIntents), .after = {}})->size();
  }
  // Changes a byte of every object on the disk.
  void Rot() {
    for (const auto& path : store_.Files("blobs")) {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      const char first = static_cast<char>(file.get());
      file.seekp(0);
      file.put(static_cast<char>(first ^ 1));
    }
  }

  TestContent store_;
};

TEST_F(BlobsTest, APushedBlobCanBePulled) {
  const auto pushed = store_.PushBlob("team/app", "hello");
  ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
  EXPECT_EQ(pushed->info.size_bytes, 5u);
  EXPECT_EQ(pushed->sequence, store_.Head());
  EXPECT_EQ(*store_.PullBlob("team/app", Sha256("hello")), "hello");
  store_.Reopen();
  EXPECT_EQ(*store_.PullBlob("team/app", Sha256("hello")), "hello");
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(BlobsTest, ATouchUnderALeaseReadsTheLinkOnce) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  CountingStore counting(*store_.meta, keys::Link(Repo("a"), Sha256("hello")));
  Blobs blobs({.meta = counting,
               .bytes = *store_.bytes,
               .clock = store_.clock,
               .store_clock = store_.store_clock,
               .owner = *store_.owner,
               .times = store_.times,
               .metrics = store_.metrics,
               .log = Log::Nowhere()});
  const auto touched = blobs.Touch(Repo("a"), Sha256("hello"));
  ASSERT_TRUE(touched.has_value()) << touched.error().message;
  EXPECT_EQ(touched->info.size_bytes, 5u);
  EXPECT_EQ(counting.reads, 1);
}

TEST_F(BlobsTest, EmptyBlobAndSha512) {
  ASSERT_TRUE(store_.PushBlob("a", "").has_value());
  EXPECT_EQ(*store_.PullBlob("a", Sha256("")), "");
  const Digest sha512 = Digest::Of(DigestAlgorithm::kSha512, AsBytes("hello"));
  ASSERT_TRUE(store_.PushBlobAs("a", "hello", sha512).has_value());
  EXPECT_EQ(*store_.PullBlob("a", sha512), "hello");
}

TEST_F(BlobsTest, IsSeenOnlyInItsRepository) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("b"), Sha256("hello"))),
            ErrorCode::kNameUnknown);
  ASSERT_TRUE(store_.PushBlob("b", "other").has_value());
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("b"), Sha256("hello"))),
            ErrorCode::kBlobUnknown);
}

TEST_F(BlobsTest, AWrongDigestIsInvalidAndLeavesNothing) {
  EXPECT_EQ(CodeOf(store_.PushBlobAs("a", "hello", Sha256("other"))), ErrorCode::kDigestInvalid);
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("a"), Sha256("other"))),
            ErrorCode::kNameUnknown);
  EXPECT_EQ(store_.Head(), 0u);
  EXPECT_EQ(Intents(), 0u);
  EXPECT_TRUE(store_.Files("blobs").empty());
  EXPECT_TRUE(store_.Files("uploads").empty());
}

TEST_F(BlobsTest, AWrongDigestOfStoredBytesIsInvalid) {
  ASSERT_TRUE(store_.PushBlob("a", "here").has_value());
  EXPECT_EQ(CodeOf(store_.PushBlobAs("b", "hello", Sha256("here"))), ErrorCode::kDigestInvalid);
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("b"), Sha256("here"))), ErrorCode::kNameUnknown);
}

TEST_F(BlobsTest, EqualBytesAreStoredOnce) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  ASSERT_TRUE(store_.PushBlob("b", "hello").has_value());
  EXPECT_EQ(store_.Files("blobs").size(), 1u);
  EXPECT_TRUE(store_.Files("uploads").empty());
  EXPECT_EQ(*store_.PullBlob("b", Sha256("hello")), "hello");
}

TEST_F(BlobsTest, PushingAgainChangesNothing) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  const uint64_t head = store_.Head();
  const auto again = store_.PushBlob("a", "hello");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->sequence, head);
  EXPECT_EQ(store_.Head(), head);
}

TEST_F(BlobsTest, ANewLinkIsCondemnedUnderALeaseUntilAManifestNamesIt) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  const v1::LinkRow entered = Link("config");
  EXPECT_EQ(entered.condemned_ms(), store_.store_clock.NowMs());
  EXPECT_EQ(entered.lease_until_ms(), entered.condemned_ms() + store_.times.lease.count());
  EXPECT_EQ(entered.due_ms(), entered.condemned_ms() + store_.times.grace.count());
  ASSERT_TRUE(store_.PushManifest("a", "v1", ImageManifest({"config"})).has_value());
  EXPECT_EQ(Link("config").condemned_ms(), 0);
  EXPECT_EQ(Link("config").due_ms(), 0);
}

TEST_F(BlobsTest, ALeaseIsRenewedOnlyWhenLessThanHalfIsLeft) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  const int64_t first = Link("hello").lease_until_ms();
  store_.clock.Advance(store_.times.lease / 4);
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  EXPECT_EQ(Link("hello").lease_until_ms(), first);
  store_.clock.Advance(store_.times.lease / 2);
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  EXPECT_GT(Link("hello").lease_until_ms(), first);
}

TEST_F(BlobsTest, CorruptBytesAreNeverServedAndAPushReplacesThem) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  Rot();
  EXPECT_EQ(CodeOf(store_.PullBlob("a", Sha256("hello"))), ErrorCode::kCorrupt);
  ASSERT_TRUE(
      store_.content->blobs.Quarantine(Sha256("hello"), Row(Sha256("hello")).object(), "corrupt")
          .has_value());
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("a"), Sha256("hello"))),
            ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store_.PushManifest("a", "v1", ImageManifest({"hello"}))),
            ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(store_.Files("quarantine").size(), 1u);
  EXPECT_EQ(Intents(), 0u);

  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  EXPECT_EQ(*store_.PullBlob("a", Sha256("hello")), "hello");
}

TEST_F(BlobsTest, I2APushReplacesBytesThatAreCorruptUnnoticed) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  Rot();
  ASSERT_TRUE(store_.PushBlob("b", "hello").has_value());
  EXPECT_EQ(*store_.PullBlob("a", Sha256("hello")), "hello");
  EXPECT_EQ(store_.Files("blobs").size(), 1u);
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(BlobsTest, AReaderKeepsTheObjectThatAPushReplaces) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  const auto opened = store_.content->blobs.Open(Repo("a"), Sha256("hello"));
  ASSERT_TRUE(opened.has_value());
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  EXPECT_NE(Row(Sha256("hello")).object(), opened->blob.location.object);
  std::string text(5, '\0');
  EXPECT_EQ(*opened->reader->Read(0, std::as_writable_bytes(std::span(text))), 5u);
  EXPECT_EQ(text, "hello");
}

TEST_F(BlobsTest, AReaderFindsTheObjectOfAPushThatComesBetween) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  PushOnOpen bytes(*store_.bytes,
                   [this] { ASSERT_TRUE(store_.PushBlob("b", "hello").has_value()); });
  Content content({.meta = *store_.meta,
                   .bytes = bytes,
                   .clock = store_.clock,
                   .store_clock = store_.store_clock,
                   .owner = *store_.owner,
                   .metrics = store_.metrics,
                   .log = Log::Nowhere()});
  EXPECT_TRUE(content.blobs.Open(Repo("a"), Sha256("hello")).has_value());
  EXPECT_EQ(bytes.opens, 2);
  EXPECT_TRUE(store_.Files("quarantine").empty());
}

TEST_F(BlobsTest, MissingBytesAreUnknownAndAPushReplacesThem) {
  ASSERT_TRUE(store_.PushBlob("a", "hello").has_value());
  for (const auto& path : store_.Files("blobs")) std::filesystem::remove(path);
  ASSERT_TRUE(store_.PushBlob("b", "hello").has_value());  // before a read finds it
  EXPECT_EQ(*store_.PullBlob("a", Sha256("hello")), "hello");
  for (const auto& path : store_.Files("blobs")) std::filesystem::remove(path);
  EXPECT_EQ(CodeOf(store_.PullBlob("a", Sha256("hello"))), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("a"), Sha256("hello"))),
            ErrorCode::kBlobUnknown);
}

TEST_F(BlobsTest, StartUpRemovesTheObjectOfAnUnfinishedCommit) {
  ASSERT_TRUE(store_.PushBlob("a", "kept").has_value());
  const std::string kept = Row(Sha256("kept")).object();
  const auto writer = store_.bytes->Create(DigestAlgorithm::kSha256, "u1");
  ASSERT_TRUE((*writer)->Append(AsBytes("lost")).has_value());
  const auto lost = (*writer)->Commit(Sha256("lost"));
  ASSERT_TRUE(lost.has_value());
  const auto transaction = store_.meta->Begin();
  for (const auto& [object, text] : {std::pair(lost->object, "lost"), std::pair(kept, "kept")}) {
    v1::IntentRow intent;
    intent.set_digest(Sha256(text).ToString());
    ASSERT_TRUE(WriteRow(*transaction, keys::Intent(object), intent).has_value());
  }
  ASSERT_TRUE(transaction->Commit().has_value());
  EXPECT_EQ(store_.Files("blobs").size(), 2u);
  store_.Reopen();
  EXPECT_EQ(Intents(), 0u);
  EXPECT_EQ(store_.Files("blobs").size(), 1u);
  EXPECT_EQ(*store_.PullBlob("a", Sha256("kept")), "kept");
}

TEST_F(BlobsTest, AFullDiskIsReportedWithItsFigures) {
  const Content tight({.meta = *store_.meta,
                       .bytes = *store_.bytes,
                       .clock = store_.clock,
                       .store_clock = store_.store_clock,
                       .owner = *store_.owner,
                       .metrics = store_.metrics,
                       .log = Log::Nowhere(),
                       .headroom_bytes = UINT64_MAX});
  const auto refused = tight.blobs.RequireFreeSpace(1000);
  ASSERT_EQ(CodeOf(refused), ErrorCode::kNoSpace);
  EXPECT_NE(refused.error().message.find("a write of 1000 bytes"), std::string::npos);
}

}  // namespace
}  // namespace outport::store
