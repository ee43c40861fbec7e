#include "store/store_registry.h"

#include <atomic>
#include <fstream>
#include <optional>

#include "registry/records/rows.h"
#include "store/content/manifest_push.h"
#include "store/stored_blob_body.h"
#include "tests/store/content/content_fixture.h"
#include "tests/support/full_pool.h"
#include "tests/support/io_thread.h"
#include "tests/support/test_latch.h"

namespace outport::store {
namespace {

class StoreRegistryTest : public testing::Test {
 protected:
  ~StoreRegistryTest() override { io_.Stop(); }

  // A blob of three checksum blocks; the last one is short.
  static std::string LargeContent() {
    std::string content;
    for (int i = 0; content.size() < 2 * kChecksumBlockBytes + 1000; ++i) {
      content += std::to_string(i) + " ";
    }
    return content;
  }
  Result<std::unique_ptr<BlobBody>> Open(const std::string& content) {
    const RepositoryName repository = Repo("a");
    const Digest digest = Sha256(content);
    return io_.Await(registry_.OpenBlob(caller_, repository, digest));
  }
  // The bytes that a client receives if it reads `at_most` bytes at a time, and the error if any.
  std::pair<std::string, std::optional<ErrorCode>> Read(BlobBody& body, uint64_t offset,
                                                        uint64_t end, uint64_t at_most) {
    std::string text;
    while (offset < end) {
      const auto bytes = io_.Await(body.Read(offset, std::min(at_most, end - offset)));
      if (!bytes.has_value()) return {text, bytes.error().code};
      EXPECT_GT(bytes->size(), 0u);
      text += AsText(*bytes);
      offset += bytes->size();
    }
    return {text, std::nullopt};
  }

  TestContent store_;
  IoThread io_;
  Metrics metrics_;
  Uploads uploads_{{.meta = *store_.meta,
                    .bytes = *store_.bytes,
                    .blobs = store_.content->blobs,
                    .disk = io_.pool(),
                    .clock = store_.clock,
                    .store_clock = store_.store_clock,
                    .owner = *store_.owner,
                    .metrics = metrics_,
                    .log = Log::Nowhere(),
                    .boot_id = "boot"}};
  LargeWrites large_writes_{
      metrics_, {.max_wait = 2 * kTestDeadline, .recheck_interval = std::chrono::milliseconds(1)}};
  PullRecorder pulls_{[this] { return store_.store_clock.NowMs(); }};
  StoreRegistry registry_{{.content = *store_.content,
                           .uploads = uploads_,
                           .disk = io_.pool(),
                           .large_writes = large_writes_,
                           .pulls = pulls_,
                           .metrics = metrics_,
                           .log = Log::Nowhere()}};
  const Caller caller_{
      .user = "ann", .certificate_name = "desktop", .address = "127.0.0.1", .request_id = "1"};
};

TEST_F(StoreRegistryTest, ReadsABlobInPiecesOfAnySize) {
  const std::string content = LargeContent();
  ASSERT_TRUE(store_.PushBlob("a", content).has_value());
  const auto body = Open(content);
  ASSERT_TRUE(body.has_value()) << body.error().message;
  EXPECT_EQ((*body)->info().size_bytes, content.size());
  const uint64_t size = content.size();
  const uint64_t block = kChecksumBlockBytes;
  struct Case {
    uint64_t offset;
    uint64_t end;
    uint64_t at_most;
  };
  const Case kCases[] = {{0, size, UINT64_MAX},
                         {0, size, 1000},
                         {1, size - 1, 100000},
                         {block, size, block},
                         {block - 1, block + 1, 10},
                         {size - 1, size, 10},
                         {2 * block + 5, 2 * block + 6, 1}};
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.offset);
    const auto [text, cut] = Read(**body, c.offset, c.end, c.at_most);
    EXPECT_FALSE(cut.has_value());
    EXPECT_TRUE(text == content.substr(c.offset, c.end - c.offset));
  }
}

TEST_F(StoreRegistryTest, AnAnswerIncludesTheChangeThatTheCallerNames) {
  const std::string content = "content";
  ASSERT_TRUE(store_.PushBlob("a", content).has_value());
  const RepositoryName repository = Repo("a");
  const Digest digest = Sha256(content);
  Caller caller{.user = "ann", .certificate_name = "desktop", .address = "::1", .request_id = "1"};
  caller.min_sequence = store_.Head();
  EXPECT_TRUE(io_.Await(registry_.StatBlob(caller, repository, digest)).has_value());
  caller.min_sequence = store_.Head() + 1;
  EXPECT_EQ(CodeOf(io_.Await(registry_.StatBlob(caller, repository, digest))),
            ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(io_.Await(registry_.OpenBlob(caller, repository, digest))),
            ErrorCode::kUnavailable);
  const PageRequest page{"", 10};
  EXPECT_EQ(CodeOf(io_.Await(registry_.ListTags(caller, repository, page))),
            ErrorCode::kUnavailable);
  const Reference reference = Ref("absent");
  EXPECT_EQ(CodeOf(io_.Await(registry_.GetManifest(caller, repository, reference))),
            ErrorCode::kUnavailable)
      << "not 404";
}

// Only a caller that may push renews leases, and only with a HEAD.
TEST_F(StoreRegistryTest, I7AHeadByAPusherRenewsTheLease) {
  const std::string body = ImageManifest({"config"});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const RepositoryName repository = Repo("a");
  const Digest blob = Sha256("config");
  const Reference tag = Ref("v1");
  const auto leases = [&] {
    const auto link = *ReadRow<v1::LinkRow>(*store_.meta, keys::Link(repository, blob));
    const auto manifest =
        *ReadRow<v1::ManifestRow>(*store_.meta, keys::ManifestOf(repository, Sha256(body)));
    return std::pair(link->lease_until_ms(), manifest->lease_until_ms());
  };
  const auto pushed = leases();
  store_.clock.Advance(std::chrono::minutes(31));
  EXPECT_TRUE(io_.Await(registry_.StatBlob(caller_, repository, blob)).has_value());
  EXPECT_TRUE(io_.Await(registry_.StatManifest(caller_, repository, tag)).has_value());
  EXPECT_EQ(leases(), pushed);
  Caller pusher = caller_;
  pusher.may_push = true;
  EXPECT_TRUE(io_.Await(registry_.OpenBlob(pusher, repository, blob)).has_value());
  EXPECT_TRUE(io_.Await(registry_.GetManifest(pusher, repository, tag)).has_value());
  EXPECT_EQ(leases(), pushed);
  EXPECT_TRUE(io_.Await(registry_.StatBlob(pusher, repository, blob)).has_value());
  EXPECT_GT(leases().first, pushed.first);
  EXPECT_EQ(leases().second, pushed.second);
  EXPECT_TRUE(io_.Await(registry_.StatManifest(pusher, repository, tag)).has_value());
  EXPECT_GT(leases().second, pushed.second);
}

TEST_F(StoreRegistryTest, AGetIsAPullAndAHeadIsNone) {
  const RepositoryName repository = Repo("a");
  const Digest digest = store_.PushImage("a", "latest", {"one"})->digest;
  ASSERT_TRUE(io_.Await(registry_.StatManifest(caller_, repository, Ref("latest"))).has_value());
  ASSERT_FALSE(io_.Await(registry_.GetManifest(caller_, repository, Ref("absent"))).has_value());
  ASSERT_TRUE(Open("one").has_value());
  EXPECT_EQ(pulls_.Take().pulls.size(), 0U);
  ASSERT_TRUE(io_.Await(registry_.GetManifest(caller_, repository, Ref("latest"))).has_value());
  const std::vector<Pull> pulls = pulls_.Take().pulls;
  ASSERT_EQ(pulls.size(), 2U);
  EXPECT_EQ(pulls[0].reference, Ref("latest"));
  EXPECT_EQ(pulls[1].reference, Reference(digest));
  EXPECT_EQ(pulls[1].time_ms, store_.store_clock.NowMs());
}

TEST_F(StoreRegistryTest, I1CorruptBytesAreNeverServed) {
  const std::string content = LargeContent();
  ASSERT_TRUE(store_.PushBlob("a", content).has_value());
  const auto files = store_.Files("blobs");
  ASSERT_EQ(files.size(), 1u);
  {
    std::fstream file(files[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kChecksumBlockBytes + 77);
    file.put('#');
  }
  const auto body = Open(content);
  ASSERT_TRUE(body.has_value());
  const auto [text, cut] = Read(**body, 0, content.size(), UINT64_MAX);
  EXPECT_EQ(cut, ErrorCode::kCorrupt);
  EXPECT_TRUE(text == content.substr(0, kChecksumBlockBytes)) << "the intact block, and no more";
  // The blob is unknown after that, until a client pushes it again.
  EXPECT_EQ(CodeOf(Open(content)), ErrorCode::kBlobUnknown);
  EXPECT_EQ(store_.Files("quarantine").size(), 1u);
  EXPECT_NE(store_.metrics.Render().find("outport_store_blobs_corrupt_total 1"), std::string::npos);
  ASSERT_TRUE(store_.PushBlob("a", content).has_value());
  const auto healed = Open(content);
  ASSERT_TRUE(healed.has_value());
  EXPECT_TRUE(Read(**healed, 0, content.size(), UINT64_MAX).first == content);
}

TEST_F(StoreRegistryTest, AReaderKeepsADeletedBlob) {
  const std::string content = LargeContent();
  ASSERT_TRUE(store_.PushBlob("a", content).has_value());
  const auto body = Open(content);
  ASSERT_TRUE(body.has_value());
  for (const auto& path : store_.Files("blobs")) std::filesystem::remove(path);
  EXPECT_TRUE(Read(**body, 0, content.size(), UINT64_MAX).first == content);
}

// Writes of large manifests wait for the turn of their user, which the test has.
class LargeManifestTest : public StoreRegistryTest {
 protected:
  LargeManifestTest() {
    EXPECT_TRUE(store_.PushBlob("a", "config").has_value());
    EXPECT_TRUE(store_.PushManifest("a", "old", Large("old")).has_value());
    Result<LargeWrites::Turn> turn = io_.Await(large_writes_.AwaitTurn({.holder = ann_.holder}));
    EXPECT_TRUE(turn.has_value());
    if (turn.has_value()) turn_.emplace(*std::move(turn));
  }
  ~LargeManifestTest() override {
    turn_.reset();
    io_.Stop();
  }
  // A manifest with many layers, all of which are the same blob.
  static std::string Large(const std::string& name) {
    return ImageManifest(std::vector<std::string>(kLargeDescriptors + 1, "config"),
                         R"(,"annotations":{"name":")" + name + R"("})");
  }
  std::future<Result<PushedManifest>> Push(size_t tag) {
    return io_.Start(
        registry_.PutManifest(ann_, repository_, tags_.at(tag), type_, no_tags_, Large("new")));
  }
  std::future<Result<Deleted>> DeleteOld() {
    return io_.Start(registry_.DeleteManifest(ann_, repository_, old_));
  }
  // Waits until this number of writes is in progress or waits.
  bool AwaitWrites(double count) {
    return WaitUntil(
        [&] { return metrics_.Gauge("outport_store_large_manifest_writes", "").Value() == count; });
  }
  // Gives the user's turn to a write, which then waits for a thread of the pool.
  void PassTurn() {
    turn_.reset();
    for (int i = 0; i < 50; ++i) io_.Turn();
  }
  std::atomic<bool> revoked_ = false;  // the user has lost access
  const Caller ann_{.user = "ann",
                    .certificate_name = "desktop",
                    .address = "127.0.0.1",
                    .holder = {.kind = HolderKind::kUser, .name = "ann"},
                    .request_id = "1",
                    .recheck = [this]() -> Result<void> {
                      if (!revoked_) return {};
                      return Error{ErrorCode::kUnauthorized, "the user was removed"};
                    }};
  const RepositoryName repository_ = Repo("a");
  const std::vector<Reference> tags_ = {Ref("v1"), Ref("v2"), Ref("v3"), Ref("v4")};
  const Reference old_ = Sha256(Large("old"));
  const std::vector<Tag> no_tags_;
  const std::string type_;
  std::optional<LargeWrites::Turn> turn_;
};

TEST_F(LargeManifestTest, PushesOfOneUserOccupyNoThreadWhileTheyWait) {
  std::vector<std::future<Result<PushedManifest>>> pushes;
  for (size_t i = 0; i < 3; ++i) pushes.push_back(Push(i));
  ASSERT_TRUE(AwaitWrites(4));
  const Result<PushedManifest> rejected = Push(3).get();
  ASSERT_EQ(CodeOf(rejected), ErrorCode::kTooManyRequests);
  EXPECT_TRUE(rejected.error().message.contains("user:ann")) << rejected.error().message;
  const Digest digest = Sha256("config");
  EXPECT_TRUE(io_.Await(registry_.StatBlob(ann_, repository_, digest)).has_value());
  EXPECT_EQ(large_writes_.Turns(), 1U);
  turn_.reset();
  for (auto& push : pushes) {
    const Result<PushedManifest> pushed = push.get();
    EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
  }
}

TEST_F(LargeManifestTest, ADeletionWaitsForItsTurnToo) {
  std::future<Result<Deleted>> deletion = DeleteOld();
  ASSERT_TRUE(AwaitWrites(2));
  EXPECT_EQ(large_writes_.Turns(), 1U);
  turn_.reset();
  EXPECT_TRUE(deletion.get().has_value());
}

// A write that has waited for its turn is not rejected because the pool is full, and keeps its turn
// to its end.
TEST_F(LargeManifestTest, APushKeepsItsTurnWhileThePoolIsFull) {
  std::future<Result<PushedManifest>> push = Push(0);
  ASSERT_TRUE(AwaitWrites(2));
  FullPool full(io_.pool(), IoThread::kPoolThreads);
  PassTurn();
  auto next = io_.Start(large_writes_.AwaitTurn({.holder = ann_.holder}));
  ASSERT_TRUE(AwaitWrites(2)) << "the push has left";
  EXPECT_EQ(large_writes_.Turns(), 1U);
  full.Release();
  EXPECT_TRUE(next.get().has_value());
  ASSERT_EQ(push.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  const Result<PushedManifest> pushed = push.get();
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
}

TEST_F(LargeManifestTest, ADeletionKeepsItsTurnWhileThePoolIsFull) {
  std::future<Result<Deleted>> deletion = DeleteOld();
  ASSERT_TRUE(AwaitWrites(2));
  FullPool full(io_.pool(), IoThread::kPoolThreads);
  PassTurn();
  full.Release();
  const Result<Deleted> deleted = deletion.get();
  EXPECT_TRUE(deleted.has_value()) << deleted.error().message;
}

TEST_F(LargeManifestTest, I6AWriteOfARevokedUserEndsWhileItWaits) {
  std::future<Result<PushedManifest>> push = Push(0);
  std::future<Result<Deleted>> deletion = DeleteOld();
  ASSERT_TRUE(AwaitWrites(3));
  const uint64_t head = store_.Head();
  revoked_ = true;
  EXPECT_EQ(CodeOf(push.get()), ErrorCode::kUnauthorized);
  EXPECT_EQ(CodeOf(deletion.get()), ErrorCode::kUnauthorized);
  EXPECT_TRUE(AwaitWrites(1)) << "the places are free";
  EXPECT_EQ(store_.Head(), head);
}

TEST_F(StoreRegistryTest, I2ACorruptBlobIsNotMounted) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  const std::filesystem::path path = store_.Files("blobs").front();
  std::ofstream(path, std::ios::binary) << "rotte";
  store_.clock.Advance(std::chrono::hours(25));  // since the store has written it
  const auto mount = [&] {
    return io_.Await(
        registry_.MountBlob(caller_, Repo("b"), Sha256("layer"), Repo("a"), kEverywhere));
  };
  EXPECT_EQ(CodeOf(mount()), ErrorCode::kBlobUnknown);
  ASSERT_TRUE(store_.PushBlob("b", "layer").has_value());
  EXPECT_TRUE(mount().has_value());
}

// A reader of bytes that are not in the page cache.
class ColdReader final : public BlobReader {
 public:
  explicit ColdReader(std::shared_ptr<const BlobReader> below) : below_(std::move(below)) {}
  uint64_t size_bytes() const override { return below_->size_bytes(); }
  Result<size_t> Read(uint64_t offset, MutableBytes buffer) const override {
    return below_->Read(offset, buffer);
  }
  Result<size_t> ReadCached(uint64_t, MutableBytes) const override { return size_t{0}; }

 private:
  const std::shared_ptr<const BlobReader> below_;
};

TEST_F(StoreRegistryTest, ABodyInProgressWaitsWhileThePoolIsFull) {
  const std::string content = LargeContent();
  ASSERT_TRUE(store_.PushBlob("a", content).has_value());
  Blobs::Opened opened = *store_.content->blobs.Open(Repo("a"), Sha256(content));
  opened.reader = std::make_shared<ColdReader>(std::move(opened.reader));
  StoredBlobBody body({.blobs = store_.content->blobs, .disk = io_.pool()}, std::move(opened));
  FullPool full(io_.pool(), IoThread::kPoolThreads);
  auto reading = io_.Start(body.Read(0, 1000));
  for (int i = 0; i < 50; ++i) io_.Turn();
  EXPECT_NE(reading.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  full.Release();
  const Result<Bytes> bytes = reading.get();
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  EXPECT_EQ(AsText(*bytes), content.substr(0, 1000));
}

}  // namespace
}  // namespace outport::store
