#include <atomic>

#include "registry/base/task_group.h"
#include "tests/node/blobs/blob_fixture.h"

namespace outport::node {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class BlobFetchTest : public BlobFixture {};
using I1NoWrongBytes = BlobFixture;
using I5FetchedOnce = BlobFixture;

TEST_F(I5FetchedOnce, ManyReadersShareOneStreamAndReadWhileItArrives) {
  const TestBlob blob = Stored(1, 64 * kMiB);
  store_.Play({.hold_at = 32 * kMiB});
  std::atomic<int> halfway = 0;
  std::vector<std::future<ReadOutcome>> readers;
  for (int i = 0; i < 16; ++i) {
    auto step = [&halfway](uint64_t received) {
      if (received == 16 * kMiB) ++halfway;
    };
    // 16 MiB is no multiple of 100000, but of a block: a read ends at the end of its block.
    readers.push_back(StartReading(blob, step));
  }
  ASSERT_TRUE(store_.AwaitHeld());
  EXPECT_TRUE(Await([&] { return halfway == 16; })) << "readers wait for the fetch's end";
  store_.Release();
  for (auto& reader : readers) ExpectWhole(reader.get(), blob);
  EXPECT_EQ(store_.streams(), 1);
  EXPECT_EQ(counted_.started.Value(), 1);
}

TEST_F(I5FetchedOnce, TheSecondReadIsFromTheCache) {
  const TestBlob blob = Stored(2, 3 * kMiB + 17);
  ExpectWhole(ReadWhole(blob), blob);
  ASSERT_TRUE(AwaitNoFetch());
  StopStore();
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 1);
}

TEST_F(I5FetchedOnce, ManyReadersOfASmallBlobShareOneStream) {
  const TestBlob blob = Stored(3, 1000);
  std::vector<std::future<ReadOutcome>> readers;
  for (int i = 0; i < 50; ++i) readers.push_back(StartReading(blob));
  for (auto& reader : readers) ExpectWhole(reader.get(), blob);
  EXPECT_EQ(store_.streams(), 1);
}

TEST_F(I1NoWrongBytes, AFlippedBitInFlightReachesNoReader) {
  const TestBlob blob = Stored(4, 4 * kMiB);
  store_.Play({.times = 1, .flip_at = 2 * kMiB + 5});
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(counted_.corrupt_chunk.Value(), 1);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(I1NoWrongBytes, OtherContentNeverCompletes) {
  const TestBlob blob = Stored(5, 4 * kMiB);
  store_.Play({.times = 1, .instead = TestBlob(6, blob.size_bytes())});
  const ReadOutcome outcome = ReadWhole(blob);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kCorrupt) << outcome.error->message;
  EXPECT_LE(outcome.received, blob.size_bytes() - kTailBytes);
  ASSERT_TRUE(AwaitNoFetch());
  EXPECT_FALSE(IsCached(blob));
  EXPECT_EQ(counted_.corrupt_digest.Value(), 1);
  EXPECT_TRUE(FilesUnder("blobs").empty());
  ExpectWhole(ReadWhole(blob), blob);  // fetched again
}

TEST_F(I1NoWrongBytes, ASmallBlobIsVerifiedBeforeItOpens) {
  for (const uint64_t size : {uint64_t{1}, uint64_t{1000}, kTailBytes}) {
    const TestBlob blob = Stored(size, size);
    store_.Play({.times = 1, .instead = TestBlob(7, size)});
    const auto body = Open(blob.digest());
    ASSERT_FALSE(body.has_value());
    EXPECT_EQ(body.error().code, ErrorCode::kCorrupt);
    ExpectWhole(ReadWhole(blob), blob);
  }
}

TEST_F(I1NoWrongBytes, AnotherSizeFromTheStoreIsRejected) {
  const TestBlob blob = Stored(8, kMiB);
  store_.Play({.times = 1, .instead = TestBlob(8, kMiB + 1)});
  const auto body = Open(blob.digest());
  ASSERT_FALSE(body.has_value());
  EXPECT_EQ(body.error().code, ErrorCode::kCorrupt);
}

TEST_F(BlobFetchTest, ABlobOfNoBytesOpens) {
  const TestBlob blob = Stored(9, 0);
  ExpectWhole(ReadWhole(blob), blob);
  ExpectWhole(ReadWhole(blob), blob);
}

TEST_F(BlobFetchTest, ABrokenStreamResumesWhereItBroke) {
  const TestBlob blob = Stored(10, 8 * kMiB);
  store_.Play({.times = 1, .cut_at = 5 * kMiB});
  std::vector<std::future<ReadOutcome>> readers;
  for (int i = 0; i < 4; ++i) readers.push_back(StartReading(blob));
  for (auto& reader : readers) ExpectWhole(reader.get(), blob);
  EXPECT_EQ(store_.streams(), 2);
  EXPECT_EQ(counted_.resumed.Value(), 1);
  EXPECT_EQ(counted_.bytes.Value(), static_cast<double>(blob.size_bytes()));
}

TEST_F(BlobFetchTest, ReadersDoNotNoticeARestartOfTheStore) {
  const TestBlob blob = Stored(11, 8 * kMiB);
  store_.Play({.times = 1, .hold_at = 4 * kMiB});
  auto reader = StartReading(blob);
  ASSERT_TRUE(store_.AwaitHeld());
  StopStore();
  StartStore();
  ExpectWhole(reader.get(), blob);
}

// The authority that issued the first certificate may be removed before a large blob has arrived.
TEST_F(BlobFetchTest, AStreamRejectedForItsOldCertificateIsResumed) {
  const TestBlob blob = Stored(14, 8 * kMiB);
  const Error revoked{ErrorCode::kUnauthorized, "the caller's certificate was revoked"};
  store_.Play({.times = 1, .cut_at = 4 * kMiB, .cut_with = revoked, .hold_at = 4 * kMiB});
  auto reader = StartReading(blob);
  ASSERT_TRUE(store_.AwaitHeld());
  channel_->Replace(Connect());
  store_.Release();
  ExpectWhole(reader.get(), blob);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(BlobFetchTest, ARejectedNodeDoesNotRetry) {
  const TestBlob blob = Stored(15, 8 * kMiB);
  const Error revoked{ErrorCode::kUnauthorized, "the caller's certificate was revoked"};
  store_.Play({.cut_at = 4 * kMiB, .cut_with = revoked});
  const ReadOutcome outcome = ReadWhole(blob);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_NE(outcome.error->message.find("was revoked"), std::string::npos);
  EXPECT_EQ(store_.streams(), 1);
}

TEST_F(BlobFetchTest, ASilentStreamIsCancelledAndResumed) {
  limits_.fetch.stall_limit = 100ms;
  const TestBlob blob = Stored(12, 4 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  ExpectWhole(ReadWhole(blob), blob);
  EXPECT_EQ(store_.streams(), 2);
}

TEST_F(BlobFetchTest, AllReadersGetTheReasonOfAFailure) {
  limits_.fetch.progress_deadline = 300ms;
  const TestBlob blob = Stored(13, 4 * kMiB);
  store_.Play({.cut_at = 2 * kMiB});
  std::vector<std::future<ReadOutcome>> readers;
  for (int i = 0; i < 4; ++i) readers.push_back(StartReading(blob));
  for (auto& reader : readers) {
    const ReadOutcome outcome = reader.get();
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->code, ErrorCode::kUnavailable);
    EXPECT_NE(outcome.error->message.find("cut by the test"), std::string::npos)
        << outcome.error->message;
  }
}

TEST_F(BlobFetchTest, AFinalErrorOfTheStoreIsReturnedAtOnce) {
  const TestBlob blob = Stored(14, kMiB);
  store_.Play({.refuse = Error{ErrorCode::kBlobUnknown, "collected"}});
  const auto body = Open(blob.digest());
  ASSERT_FALSE(body.has_value());
  EXPECT_EQ(body.error().code, ErrorCode::kBlobUnknown);
  EXPECT_EQ(store_.streams(), 1);
}

TEST_F(BlobFetchTest, ANodeThatTheStoreRejectsIsNotTheClientsFault) {
  const TestBlob blob = Stored(18, kMiB);
  store_.Play({.refuse = Error{ErrorCode::kDenied, "not a node of this fleet"}});
  const auto body = Open(blob.digest());
  ASSERT_FALSE(body.has_value());
  EXPECT_EQ(body.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(body.error().message.find("rejects this node"), std::string::npos);
  EXPECT_EQ(store_.streams(), 1) << "asked once: the answer is final";
}

TEST_F(BlobFetchTest, AnUnreachableStoreMeansUnavailable) {
  limits_.fetch.first_byte_deadline = 300ms;
  const TestBlob blob = Stored(15, kMiB);
  StopStore();
  const auto body = Open(blob.digest());
  ASSERT_FALSE(body.has_value());
  EXPECT_EQ(body.error().code, ErrorCode::kUnavailable);
}

TEST_F(BlobFetchTest, ASlowReaderSlowsNobody) {
  const TestBlob blob = Stored(16, 32 * kMiB);
  const auto slow = Open(blob.digest());
  ASSERT_TRUE(slow.has_value());
  auto first = [&]() -> net::awaitable<size_t> {
    const Result<Bytes> bytes = co_await (*slow)->Read(0, 1000);
    co_return bytes->size();
  };
  EXPECT_EQ(RunToEnd(first), 1000u);
  ExpectWhole(ReadWhole(blob), blob);
  ExpectWhole(RunToEnd([&] { return ReadToEnd(**slow); }), blob);
  EXPECT_EQ(store_.streams(), 1);
}

TEST_F(BlobFetchTest, TheLastReaderToLeaveEarlyEndsTheFetch) {
  const TestBlob blob = Stored(17, 16 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  auto one = Open(blob.digest());
  auto other = Open(blob.digest());
  ASSERT_TRUE(store_.AwaitHeld());
  one->reset();
  EXPECT_EQ(counted_.running.Value(), 1);
  other->reset();
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_EQ(counted_.given_up.Value(), 1);
  EXPECT_EQ(counted_.failed.Value(), 0);
  EXPECT_FALSE(IsCached(blob));
  EXPECT_TRUE(FilesUnder("fetch").empty());
  ExpectWhole(ReadWhole(blob), blob);
}

// A stopping server ends connections that are still in use at its deadline.
TEST_F(BlobFetchTest, AReaderWhoseConnectionEndsStopsWaiting) {
  limits_.fetch.stall_limit = 60s;
  const TestBlob blob = Stored(21, 16 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  const auto body = Open(blob.digest());
  ASSERT_TRUE(store_.AwaitHeld());
  TaskGroup connections(context_.get_executor(), Log::Nowhere());
  std::promise<ReadOutcome> ended;
  connections.Spawn([&]() -> net::awaitable<void> {
    co_await net::this_coro::throw_if_cancelled(false);
    ended.set_value(co_await ReadToEnd(**body));
  });
  ASSERT_TRUE(Await([&] { return counted_.waiting_readers.Value() == 1; }));
  connections.Cancel();
  EXPECT_TRUE(connections.DrainBlocking(std::chrono::steady_clock::now() + 20s));
  store_.Release();
  EXPECT_TRUE(connections.DrainBlocking(std::chrono::steady_clock::now() + 100s));
  const ReadOutcome outcome = ended.get_future().get();
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kCancelled);
}

TEST_F(BlobFetchTest, AFetchPastAQuarterFinishesAlone) {
  const TestBlob blob = Stored(18, 16 * kMiB);
  store_.Play({.times = 1, .hold_at = 8 * kMiB});
  auto body = Open(blob.digest());
  ASSERT_TRUE(store_.AwaitHeld());
  ASSERT_TRUE(Await([&] { return counted_.bytes.Value() == 8.0 * kMiB; }));
  body->reset();
  store_.Release();
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_TRUE(IsCached(blob));
}

TEST_F(BlobFetchTest, ARangeFarAheadGetsAStreamOfItsOwn) {
  const TestBlob blob = Stored(19, 64 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  const auto body = Open(blob.digest());
  ASSERT_TRUE(store_.AwaitHeld());
  auto read = [&]() -> net::awaitable<std::string> {
    std::string got;
    while (got.size() < kMiB) {
      const Result<Bytes> bytes = co_await (*body)->Read(60 * kMiB + 8 + got.size(), kMiB);
      if (!bytes.has_value()) co_return bytes.error().message;
      got += AsText(*bytes);
    }
    co_return got.substr(0, kMiB);
  };
  EXPECT_TRUE(RunToEnd(read) == blob.Content(60 * kMiB + 8, kMiB));
  EXPECT_EQ(counted_.passed_ahead.Value(), 1);
}

// A reader of a channel resumes as a fetch does.
TEST_F(BlobFetchTest, AChannelRejectedForItsOldCertificateIsResumed) {
  const TestBlob blob = Stored(20, 64 * kMiB);
  store_.Play({.times = 1, .hold_at = 2 * kMiB});
  const auto body = Open(blob.digest());
  ASSERT_TRUE(store_.AwaitHeld());
  const Error revoked{ErrorCode::kUnauthorized, "the caller's certificate was revoked"};
  store_.Play({.times = 1, .cut_at = 61 * kMiB, .cut_with = revoked});
  auto read = [&]() -> net::awaitable<std::string> {
    std::string got;
    while (got.size() < 2 * kMiB) {
      const Result<Bytes> bytes = co_await (*body)->Read(60 * kMiB + got.size(), kMiB);
      if (!bytes.has_value()) co_return bytes.error().message;
      if (got.empty()) channel_->Replace(Connect());  // renewed during the stream
      got += AsText(*bytes);
    }
    co_return got.substr(0, 2 * kMiB);
  };
  const std::string got = RunToEnd(read);
  EXPECT_TRUE(got == blob.Content(60 * kMiB, 2 * kMiB)) << got.substr(0, 200);
  EXPECT_EQ(store_.streams(), 3);
}

}  // namespace
}  // namespace outport::node
