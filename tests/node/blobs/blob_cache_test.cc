#include <atomic>
#include <fstream>

#include "outport/v1/record.pb.h"
#include "registry/base/task_group.h"
#include "registry/records/keys.h"
#include "tests/node/blobs/blob_fixture.h"
#include "tests/node/blobs/full_blob_store.h"
#include "tests/node/blobs/held_blob_store.h"

namespace outport::node {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class BlobCacheTest : public BlobFixture {
 protected:
  // Fetches the blob, and waits until its copy is recorded.
  TestBlob Cached(uint64_t seed, uint64_t size_bytes) {
    const TestBlob blob = Stored(seed, size_bytes);
    ExpectWhole(ReadWhole(blob), blob);
    EXPECT_TRUE(AwaitNoFetch());
    EXPECT_TRUE(IsCached(blob));
    return blob;
  }
  v1::CachedRow RowOf(const TestBlob& blob) {
    v1::CachedRow row;
    EXPECT_TRUE(row.ParseFromString(**meta_.Get(keys::Cached(blob.digest()))));
    return row;
  }
  // Changes the rows as if the machine had stopped before the copy was synced.
  void ForgetSync(const TestBlob& blob) {
    v1::CachedRow row = RowOf(blob);
    row.set_durable(false);
    const auto transaction = meta_.Begin();
    EXPECT_TRUE(transaction->Put(keys::Cached(blob.digest()), row.SerializeAsString()).has_value());
    EXPECT_TRUE(transaction->Commit(MetaTransaction::Durability::kSynced).has_value());
  }
  void FlipByteOnDisk(uint64_t offset) {
    const auto files = FilesUnder("blobs");
    ASSERT_EQ(files.size(), 1u);
    std::fstream file(files.front(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 1));
  }
};
using I1CorruptCopyStays = BlobCacheTest;
using I11StoreUnreachable = BlobCacheTest;
using DiskFull = BlobCacheTest;

TEST_F(I1CorruptCopyStays, ACorruptBlockIsReadFromTheStore) {
  const TestBlob blob = Cached(1, 4 * kMiB);
  FlipByteOnDisk(2 * kMiB + 100);
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 2);
  EXPECT_EQ(FilesUnder("quarantine").size(), 1u);
  EXPECT_EQ(counted_.corrupt_copy.Value(), 1);
  EXPECT_TRUE(AwaitNoFetch());
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(I1CorruptCopyStays, OtherContentNeverCompletesABodyWhoseBeginningWasCached) {
  limits_.far_ahead_bytes = 0;
  const TestBlob blob = Cached(1, 4 * kMiB);
  FlipByteOnDisk(2 * kMiB + 100);
  store_.Play({.instead = TestBlob(22, 4 * kMiB)});
  const ReadOutcome outcome = ReadWhole(blob);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_LT(outcome.received, 4 * kMiB);
}

TEST_F(I1CorruptCopyStays, ACorruptBlockIsReadFromANewCopy) {
  const TestBlob blob = Cached(1, 4 * kMiB);
  FlipByteOnDisk(2 * kMiB + 100);
  const auto early = Open(blob.digest());  // before the copy is replaced
  ASSERT_TRUE(early.has_value());
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_TRUE(AwaitNoFetch());
  ExpectWhole(RunToEnd([&] { return ReadToEnd(**early); }), blob);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(I1CorruptCopyStays, ACorruptBlockEndsTheBodyWhileTheStoreIsUnreachable) {
  const TestBlob blob = Cached(1, 4 * kMiB);
  FlipByteOnDisk(2 * kMiB + 100);
  StopStore();
  const ReadOutcome outcome = ReadWhole(blob);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kUnavailable) << outcome.error->message;
  EXPECT_EQ(outcome.received, 2 * kMiB);
  EXPECT_FALSE(IsCached(blob));
  StartStore();
  ExpectWhole(ReadWhole(blob), blob);
}

TEST_F(I1CorruptCopyStays, ATruncatedCopyIsFetchedAgainAtOnce) {
  const TestBlob blob = Cached(2, kMiB);
  std::filesystem::resize_file(FilesUnder("blobs").front(), 1000);
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(I1CorruptCopyStays, AMissingCopyIsFetchedAgainAtOnce) {
  const TestBlob blob = Cached(3, kMiB);
  std::filesystem::remove(FilesUnder("blobs").front());
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(I11StoreUnreachable, CachedBlobsAreServed) {
  const TestBlob blob = Cached(4, 2 * kMiB);
  StopStore();
  ExpectWhole(ReadWhole(blob), blob);
  CloseCache();  // and after a restart
  ExpectWhole(ReadWhole(blob), blob);
}

TEST_F(BlobCacheTest, ACopyBecomesDurableInTheBackground) {
  const TestBlob blob = Cached(5, kMiB);
  EXPECT_TRUE(Await([&] { return RowOf(blob).durable(); }));
}

TEST_F(BlobCacheTest, AnUnsyncedCopyOfThisBootIsServed) {
  const TestBlob blob = Cached(6, kMiB);
  CloseCache();
  ForgetSync(blob);
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 1);
  EXPECT_FALSE(RowOf(blob).durable());
}

TEST_F(BlobCacheTest, AnUnsyncedCopyOfAnotherBootIsVerifiedOnce) {
  const TestBlob blob = Cached(7, 4 * kMiB);
  CloseCache();
  ForgetSync(blob);
  boot_id_ = "another";
  StopStore();
  std::vector<std::future<ReadOutcome>> readers;
  for (int i = 0; i < 8; ++i) readers.push_back(StartReading(blob));
  for (auto& reader : readers) ExpectWhole(reader.get(), blob);
  EXPECT_TRUE(RowOf(blob).durable());
}

TEST_F(BlobCacheTest, AWaiterForAVerificationIsNotDelayedByOthers) {
  std::vector<TestBlob> blobs;
  for (uint64_t i = 0; i < 12; ++i) blobs.push_back(Cached(20 + i, 100'000));
  CloseCache();
  for (const TestBlob& blob : blobs) ForgetSync(blob);
  boot_id_ = "another";
  StopStore();
  HeldBlobStore held(*blobs_, RowOf(blobs[0]).object());
  blob_store_ = &held;
  auto first = StartReading(blobs[0]);
  ASSERT_TRUE(Await([&] { return held.IsReading(); }));
  auto second = StartReading(blobs[0]);
  for (size_t i = 1; i < blobs.size(); ++i) ExpectWhole(ReadWhole(blobs[i]), blobs[i]);
  held.Release();
  ExpectWhole(first.get(), blobs[0]);
  ExpectWhole(second.get(), blobs[0]);
  CloseCache();
}

TEST_F(I1CorruptCopyStays, ACorruptUnsyncedCopyOfAnotherBootIsFetchedAgain) {
  const TestBlob blob = Cached(8, 4 * kMiB);
  CloseCache();
  ForgetSync(blob);
  boot_id_ = "another";
  FlipByteOnDisk(4 * kMiB - 1);
  std::vector<std::future<ReadOutcome>> readers;
  for (int i = 0; i < 8; ++i) readers.push_back(StartReading(blob));
  for (auto& reader : readers) ExpectWhole(reader.get(), blob);
  EXPECT_EQ(store_.streams(), 2);
  EXPECT_EQ(FilesUnder("quarantine").size(), 1u);
}

TEST_F(BlobCacheTest, LeftoversOfAnEarlierProcessAreDiscarded) {
  Cache();
  CloseCache();
  std::ofstream(folder_.path() / "fetch" / "sha256-abc.part") << "half a blob";
  Cache();
  EXPECT_TRUE(FilesUnder("fetch").empty());
}

TEST_F(BlobCacheTest, AStatStartsNoFetch) {
  const TestBlob blob = Stored(9, kMiB);
  BlobCache& cache = Cache();
  const uint64_t size = RunToEnd([&]() -> net::awaitable<uint64_t> {
    const auto info = co_await cache.Stat(caller_, repository_, blob.digest());
    co_return info.has_value() ? info->size_bytes : 0;
  });
  EXPECT_EQ(size, kMiB);
  EXPECT_EQ(store_.streams(), 0);
}

TEST_F(BlobCacheTest, ACopyIsNotShownToARepositoryThatDoesNotLinkIt) {
  const TestBlob blob = Cached(10, kMiB);
  const RepositoryName other = *RepositoryName::Parse("tenant/other");
  BlobCache& cache = Cache();
  const Digest digest = blob.digest();
  const auto body = RunToEnd([&] { return cache.Open(caller_, other, digest); });
  ASSERT_FALSE(body.has_value());
  EXPECT_EQ(body.error().code, ErrorCode::kBlobUnknown);
}

TEST_F(BlobCacheTest, ABodyReadsAnyRange) {
  const TestBlob blob = Cached(11, 3 * kMiB + 1000);
  const std::string content = blob.Content();
  const auto body = Open(blob.digest());
  ASSERT_TRUE(body.has_value());
  for (const uint64_t offset : {uint64_t{0}, 2 * kMiB + 77, kMiB - 1, 3 * kMiB + 999}) {
    auto read = [&]() -> net::awaitable<std::string> {
      const Result<Bytes> bytes = co_await (*body)->Read(offset, 500);
      co_return bytes.has_value() ? std::string(AsText(*bytes)) : bytes.error().message;
    };
    const std::string got = RunToEnd(read);
    EXPECT_FALSE(got.empty());
    EXPECT_EQ(got, content.substr(offset, got.size()));
  }
}

TEST_F(BlobCacheTest, FetchesAreBounded) {
  limits_.fetch_threads = 1;
  limits_.fetch_queue = 1;
  store_.Play({.hold_at = 0});
  std::vector<std::future<ReadOutcome>> readers;
  std::vector<TestBlob> blobs;
  for (uint64_t i = 0; i < 2; ++i) {
    blobs.push_back(Stored(30 + i, kMiB));
    readers.push_back(StartReading(blobs.back()));
    ASSERT_TRUE(store_.AwaitHeld());
  }
  ASSERT_TRUE(Await([&] { return counted_.running.Value() == 2; }));
  const auto refused = Open(Stored(40, kMiB).digest());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  store_.Release();
  for (size_t i = 0; i < 2; ++i) ExpectWhole(readers[i].get(), blobs[i]);
}

TEST_F(BlobCacheTest, StoppingEndsFetchesAndTheirReadersGetAnError) {
  const TestBlob blob = Stored(12, 4 * kMiB);
  store_.Play({.hold_at = 2 * kMiB});
  auto reader = StartReading(blob);
  ASSERT_TRUE(store_.AwaitHeld());
  Cache().Stop();
  const ReadOutcome outcome = reader.get();
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kUnavailable);
}

TEST_F(DiskFull, BlobsPassThrough) {
  FullBlobStore full(*blobs_, 0);
  blob_store_ = &full;
  for (const uint64_t size : {uint64_t{0}, uint64_t{10}, kTailBytes, 300000ul, 4 * kMiB + 10}) {
    const TestBlob blob = Stored(size, size);
    ExpectWhole(ReadWhole(blob), blob);
    EXPECT_FALSE(IsCached(blob));
  }
  EXPECT_EQ(counted_.passed_no_space.Value(), 5);
  CloseCache();
}

TEST_F(DiskFull, AFetchThatFillsTheDiskContinuesWithoutACopy) {
  FullBlobStore full(*blobs_, 4 * kMiB);
  blob_store_ = &full;
  const TestBlob blob = Stored(20, 8 * kMiB);
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(counted_.passed_no_space.Value(), 1);
  EXPECT_FALSE(IsCached(blob));
  CloseCache();
}

TEST_F(BlobCacheTest, AnExceptionInAFetchIsAnErrorOfItsReadersAndLeavesNothingBehind) {
  FullBlobStore broken(*blobs_, 2 * kMiB, []() -> Error { throw std::bad_alloc(); });
  blob_store_ = &broken;
  const TestBlob blob = Stored(25, 4 * kMiB);
  const ReadOutcome outcome = ReadWhole(blob);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kInternal);
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_EQ(counted_.failed.Value(), 1);
  CloseCache();
  blob_store_ = nullptr;
  ExpectWhole(ReadWhole(blob), blob);
}

// The reader already has a part of the blob. The part is fetched again, to hash the whole blob.
TEST_F(DiskFull, AReaderInProgressContinuesWithoutTheCopy) {
  FullBlobStore full(*blobs_, 4 * kMiB);
  blob_store_ = &full;
  const TestBlob blob = Stored(25, 8 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  std::atomic<uint64_t> here = 0;
  auto reader = StartReading(blob, [&here](uint64_t received) { here = received; });
  ASSERT_TRUE(store_.AwaitHeld());
  ASSERT_TRUE(Await([&] { return here == 2 * kMiB && counted_.waiting_readers.Value() == 1; }));
  store_.Release();
  ExpectWhole(reader.get(), blob);
  EXPECT_EQ(counted_.passed_no_space.Value(), 1);
  EXPECT_EQ(store_.streams(), 2);
  EXPECT_FALSE(IsCached(blob));
  CloseCache();
}

// A stopping server ends connections that are still in use at its deadline.
TEST_F(DiskFull, APassThroughWhoseConnectionEndsIsNotRetried) {
  FullBlobStore full(*blobs_, 0);
  blob_store_ = &full;
  limits_.passing = {.chunk_deadline = 100ms, .pause = 10ms, .attempts = 1000};
  const TestBlob blob = Stored(26, 4 * kMiB);
  store_.Play({.hold_at = 2 * kMiB});
  auto body = Open(blob.digest());
  ASSERT_TRUE(body.has_value());
  TaskGroup connections(context_.get_executor(), Log::Nowhere());
  std::promise<ReadOutcome> ended;
  connections.Spawn([&]() -> net::awaitable<void> {
    co_await net::this_coro::throw_if_cancelled(false);
    ended.set_value(co_await ReadToEnd(**body));
  });
  ASSERT_TRUE(Await([&] { return counted_.resumed.Value() >= 2; }));
  connections.Cancel();
  EXPECT_TRUE(connections.DrainBlocking(std::chrono::steady_clock::now() + 20s));
  store_.Release();
  EXPECT_TRUE(connections.DrainBlocking(std::chrono::steady_clock::now() + 200s));
  std::future<ReadOutcome> end = ended.get_future();
  ASSERT_EQ(end.wait_for(0s), std::future_status::ready) << "it threw";
  const ReadOutcome outcome = end.get();
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kCancelled);
  EXPECT_EQ(outcome.received, 2 * kMiB);
  body->reset();
  CloseCache();
}

TEST_F(DiskFull, ABrokenPassThroughResumes) {
  FullBlobStore full(*blobs_, 0);
  blob_store_ = &full;
  limits_.passing.pause = 10ms;
  const TestBlob blob = Stored(21, 8 * kMiB);
  store_.Play({.times = 1, .cut_at = 5 * kMiB, .flip_at = 3 * kMiB});
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(counted_.corrupt_chunk.Value(), 1);
  CloseCache();
}

TEST_F(DiskFull, ASilentPassThroughResumes) {
  FullBlobStore full(*blobs_, 0);
  blob_store_ = &full;
  limits_.passing.chunk_deadline = 100ms;
  const TestBlob blob = Stored(24, 4 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 2);
  CloseCache();
}

TEST_F(DiskFull, I1OtherContentNeverPassesWhole) {
  FullBlobStore full(*blobs_, 0);
  blob_store_ = &full;
  for (const uint64_t size : {uint64_t{1000}, 2 * kMiB, 2 * kMiB + 5}) {
    const TestBlob blob = Stored(size, size);
    store_.Play({.instead = TestBlob(22, size)});
    const ReadOutcome outcome = ReadWhole(blob);
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->code, ErrorCode::kCorrupt);
    EXPECT_LE(outcome.received, size - std::min(size, kTailBytes));
  }
  CloseCache();
}

TEST_F(DiskFull, PassThroughsAreBounded) {
  FullBlobStore full(*blobs_, 0);
  blob_store_ = &full;
  limits_.passing_bodies = 2;
  const TestBlob blob = Stored(23, kMiB);
  auto one = Open(blob.digest());
  const auto two = Open(blob.digest());
  const auto refused = Open(blob.digest());
  ASSERT_TRUE(one.has_value() && two.has_value());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  one->reset();
  EXPECT_TRUE(Open(blob.digest()).has_value());
}

}  // namespace
}  // namespace outport::node
