#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "tests/store/uploads/uploads_fixture.h"
#include "tests/support/full_pool.h"

namespace outport::store {
namespace {

TEST_F(UploadsTest, ABodyInOnePieceBecomesABlob) {
  const std::string id = Start();
  const auto pushed = Finish(id, Sha256("hello"), ScriptedBody("hello", 5));
  ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
  EXPECT_EQ(*store_.PullBlob("a", Sha256("hello")), "hello");
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EXPECT_TRUE(store_.Files("uploads").empty());
}

TEST_F(UploadsTest, LargeBodiesOfOddPiecesArriveWhole) {
  std::string content;
  for (int i = 0; content.size() < (5 << 20) + 12345; ++i) content += std::to_string(i);
  for (const size_t piece : {size_t{7777}, size_t{1} << 20, SIZE_MAX}) {
    for (const bool announced : {true, false}) {
      SCOPED_TRACE(piece);
      const std::string id = Start();
      ScriptedBody body(content,
                        announced ? std::optional<uint64_t>(content.size()) : std::nullopt);
      body.InPiecesOf(piece);
      const auto appended = AppendFrom(id, body);
      ASSERT_TRUE(appended.has_value()) << appended.error().message;
      EXPECT_EQ(appended->size_bytes, content.size());
      const auto pushed = Finish(id, Sha256(content), ScriptedBody("", 0));
      ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
      EXPECT_EQ(*store_.PullBlob("a", Sha256(content)), content);
    }
  }
}

TEST_F(UploadsTest, ChunksMustFollowEachOther) {
  const std::string id = Start();
  EXPECT_EQ(Append(id, ScriptedBody("hello", 5), ByteRange{0, 5})->size_bytes, 5u);
  for (const ByteRange wrong : {ByteRange{0, 5}, ByteRange{4, 5}, ByteRange{6, 5}}) {
    ScriptedBody body("world", 5);
    EXPECT_EQ(CodeOf(AppendFrom(id, body, wrong)), ErrorCode::kRangeInvalid);
    EXPECT_EQ(body.reads(), 0u);
  }
  EXPECT_EQ(Received(id), 5u);
  EXPECT_EQ(Append(id, ScriptedBody("world", 5), ByteRange{5, 5})->size_bytes, 10u);
  EXPECT_TRUE(Finish(id, Sha256("helloworld"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, AChunkMustBeAsLongAsItSays) {
  const std::string id = Start();
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("hello", 5), ByteRange{0, 4})), ErrorCode::kSizeInvalid);
  EXPECT_EQ(Received(id), 0u);
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("hello"), ByteRange{0, 4})), ErrorCode::kSizeInvalid);
  EXPECT_EQ(Received(id), 4u);  // the announced size
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("o"), ByteRange{4, 2})), ErrorCode::kSizeInvalid);
  EXPECT_EQ(Received(id), 5u);
  EXPECT_TRUE(Finish(id, Sha256("hello"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, ATruncatedBodyKeepsTheReceivedBytes) {
  const std::string id = Start();
  ScriptedBody body("hello", 100);
  body.CutAtTheEnd();
  EXPECT_EQ(CodeOf(AppendFrom(id, body)), ErrorCode::kCancelled);
  EXPECT_EQ(Received(id), 5u);
  ScriptedBody cut_finish(" wo", 6);
  cut_finish.CutAtTheEnd();
  EXPECT_EQ(CodeOf(Await(uploads_->Finish(kAnn, Repo("a"), id, std::nullopt, Sha256("hello world"),
                                          cut_finish))),
            ErrorCode::kCancelled);
  EXPECT_EQ(Received(id), 8u);
  EXPECT_TRUE(Finish(id, Sha256("hello world"), ScriptedBody("rld", 3)).has_value());
}

TEST_F(UploadsTest, AMismatchEndsTheSession) {
  const std::string id = Start();
  EXPECT_EQ(CodeOf(Finish(id, Sha256("other"), ScriptedBody("hello", 5))),
            ErrorCode::kDigestInvalid);
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EXPECT_TRUE(store_.Files("uploads").empty());
  EXPECT_TRUE(store_.Files("blobs").empty());
}

TEST_F(UploadsTest, ASessionIsOfItsUserAndRepository) {
  const std::string id = Start();
  EXPECT_EQ(StatCode(id, "bob"), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(StatCode(id, "ann", "b"), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(StatCode("no-such-id"), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(CodeOf(Await(uploads_->Cancel(UserNamed("bob"), Repo("a"), id))),
            ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(id), 0u);
}

TEST_F(UploadsTest, OneRequestWorksOnASessionAtATime) {
  Configure({.sessions = {.max_wait = std::chrono::milliseconds(0)}});
  const std::string id = Start();
  ScriptedBody slow("hello");
  slow.HeldAtTheEnd();
  auto first = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, slow));
  slow.AwaitHold();
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("", 0))), ErrorCode::kTooManyRequests);
  EXPECT_EQ(CodeOf(Await(uploads_->Cancel(kAnn, Repo("a"), id))), ErrorCode::kTooManyRequests);
  slow.Release();
  EXPECT_EQ(first.get()->size_bytes, 5u);
  EXPECT_TRUE(Finish(id, Sha256("hello"), ScriptedBody("", 0)).has_value());
}

// The connection of the first request is lost, and the store has not noticed yet.
TEST_F(UploadsTest, ARequestWaitsForOneThatEnds) {
  const std::string id = Start();
  ScriptedBody slow("hello");
  slow.HeldAtTheEnd().CutAtTheEnd();
  auto first = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, slow));
  slow.AwaitHold();
  ScriptedBody rest(" world", 6);
  auto second = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, rest));
  slow.Release();
  EXPECT_EQ(CodeOf(first.get()), ErrorCode::kCancelled);
  EXPECT_EQ(second.get()->size_bytes, 11u);
  EXPECT_TRUE(Finish(id, Sha256("hello world"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, ASilentClientLosesItsSessionToAnotherRequest) {
  Configure({.sessions = {.max_wait = std::chrono::milliseconds(0)}});
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  ScriptedBody silent(" lost");
  silent.HeldAtTheEnd();
  auto first = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, silent));
  silent.AwaitHold();
  store_.clock.Advance(std::chrono::milliseconds(1999));
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("", 0))), ErrorCode::kTooManyRequests);
  store_.clock.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(Received(id), 5u);
  EXPECT_EQ(Append(id, ScriptedBody(" world", 6), ByteRange{5, 6})->size_bytes, 11u);
  silent.Release();
  EXPECT_EQ(CodeOf(first.get()), ErrorCode::kTooManyRequests);
  EXPECT_EQ(Received(id), 11u);
  EXPECT_EQ(Metric("outport_store_uploads_reconnected_total"), 1.0);
  EXPECT_TRUE(Finish(id, Sha256("hello world"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, AnotherUserCannotTakeASessionOver) {
  const std::string id = Start();
  ScriptedBody silent("hello");
  silent.HeldAtTheEnd();
  auto first = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, silent));
  silent.AwaitHold();
  store_.clock.Advance(std::chrono::hours(1));
  ScriptedBody other("x");
  EXPECT_EQ(CodeOf(Await(uploads_->Append(UserNamed("bob"), Repo("a"), id, std::nullopt, other))),
            ErrorCode::kBlobUploadUnknown);
  silent.Release();
  EXPECT_TRUE(first.get().has_value());
}

TEST_F(UploadsTest, ACancelledSessionIsUnknown) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  ASSERT_TRUE(Await(uploads_->Cancel(kAnn, Repo("a"), id)).has_value());
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EXPECT_TRUE(store_.Files("uploads").empty());
}

TEST_F(UploadsTest, IdleSessionsExpireAndBusyOnesDoNot) {
  const std::string idle = Start();
  ASSERT_TRUE(Append(idle, ScriptedBody("hello")).has_value());
  const std::string used = Start();
  store_.clock.Advance(std::chrono::hours(167));
  EXPECT_EQ(uploads_->Expire(), 0u);
  ASSERT_TRUE(Append(used, ScriptedBody("hello")).has_value());
  store_.clock.Advance(std::chrono::hours(1));
  EXPECT_EQ(metrics_.Gauge("outport_store_uploads_open", "").Value(), 2.0);
  EXPECT_EQ(Metric("outport_store_uploads_expired_total"), 0.0);
  EXPECT_EQ(uploads_->Expire(), 1u);
  EXPECT_EQ(metrics_.Gauge("outport_store_uploads_open", "").Value(), 1.0);
  EXPECT_EQ(Metric("outport_store_uploads_expired_total"), 1.0);
  EXPECT_EQ(StatCode(idle), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(used), 5u);
  EXPECT_EQ(store_.Files("uploads").size(), 1u);
}

TEST_F(UploadsTest, AUsedUpShareRejectsUntilASessionIsEvicted) {
  Configure({.sessions = {.sessions = 4}});
  const std::string first = Start();
  store_.clock.Advance(std::chrono::minutes(50));
  const std::string second = Start();
  const auto refused = Await(uploads_->Start(kAnn, Repo("a"), DigestAlgorithm::kSha256));
  ASSERT_EQ(CodeOf(refused), ErrorCode::kTooManyRequests);
  EXPECT_NE(refused.error().message.find("no more upload sessions for user:ann, which has 2 of 4"),
            std::string::npos)
      << refused.error().message;
  store_.clock.Advance(std::chrono::minutes(10));
  const std::string third = Start();
  EXPECT_EQ(StatCode(first), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(second), 0u);
  EXPECT_EQ(Received(third), 0u);
}

TEST_F(UploadsTest, OneUserLeavesSessionsForOthers) {
  Configure({.sessions = {.sessions = 1000}});
  size_t started = 0;
  while (started < 1000 &&
         Await(uploads_->Start(kAnn, Repo("a"), DigestAlgorithm::kSha256)).has_value()) {
    ++started;
  }
  EXPECT_EQ(started, 500u);
  EXPECT_NE(Start("bob"), "");
}

// A finish must not be rejected after its body was appended: a retry would append the body twice.
// One body ends with a buffer, so that only the commit remains; the other one has bytes left, too.
TEST_F(UploadsTest, AFinishInProgressWaitsWhenThePoolIsFull) {
  for (const size_t size : {size_t{1} << 20, (size_t{1} << 20) + 5}) {
    SCOPED_TRACE(size);
    const std::string content(size, 'x');
    const std::string id = Start();
    std::optional<FullPool> full;
    std::atomic<bool> filled = false;
    ScriptedBody body(content);
    body.BeforeTheEnd([&] {
      full.emplace(io_.pool(), IoThread::kPoolThreads);
      filled = true;
    });
    auto finishing =
        io_.Start(uploads_->Finish(kAnn, Repo("a"), id, std::nullopt, Sha256(content), body));
    const auto refused = [&] {
      return finishing.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    // Gives the thread enough turns to be rejected, or to wait.
    while (!filled && !refused()) io_.Turn();
    for (int i = 0; i < 50; ++i) io_.Turn();
    EXPECT_FALSE(refused());
    full.reset();
    const auto pushed = finishing.get();
    ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
    EXPECT_EQ(*store_.PullBlob("a", Sha256(content)), content);
  }
}

// The same holds for a chunk that is checkpointed before the answer.
TEST_F(UploadsTest, AChunkInProgressWaitsWhenThePoolIsFull) {
  Configure({.max_uncheckpointed_bytes = 1});
  const std::string content(size_t{1} << 20, 'x');
  const std::string id = Start();
  std::optional<FullPool> full;
  std::atomic<bool> filled = false;
  ScriptedBody body(content);
  body.BeforeTheEnd([&] {
    full.emplace(io_.pool(), IoThread::kPoolThreads);
    filled = true;
  });
  auto appending = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, body));
  while (!filled && appending.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    io_.Turn();
  }
  for (int i = 0; i < 50; ++i) io_.Turn();
  full.reset();
  const auto appended = appending.get();
  ASSERT_TRUE(appended.has_value()) << appended.error().message;
  EXPECT_EQ(Received(id), content.size());
}

TEST_F(UploadsTest, AFullPoolRejectsAnUploadBeforeItsFirstByte) {
  const std::string id = Start();
  FullPool full(io_.pool(), IoThread::kPoolThreads);
  ScriptedBody body("hello", 5);
  EXPECT_EQ(
      CodeOf(Await(uploads_->Finish(kAnn, Repo("a"), id, std::nullopt, Sha256("hello"), body))),
      ErrorCode::kTooManyRequests);
  EXPECT_EQ(body.reads(), 0u);
  EXPECT_EQ(Received(id), 0u);
  full.Release();
  auto nothing = []() -> Result<void> { return {}; };
  ASSERT_TRUE(Await(BlockingInProgress(io_.pool(), nothing)).has_value());  // after all other work
  EXPECT_TRUE(Finish(id, Sha256("hello"), ScriptedBody("hello", 5)).has_value());
}

// Returns how much space of the disk the uploads occupy.
uint64_t OccupiedBytes(const TestContent& store) {
  uint64_t bytes = 0;
  for (const auto& path : store.Files("uploads")) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    bytes += uint64_t{512} * static_cast<uint64_t>(status.st_blocks);
  }
  return bytes;
}

// The space must not stay reserved until the session expires because the store was busy.
TEST_F(UploadsTest, ATruncatedBodyReleasesItsSpaceAlsoWhenThePoolIsFull) {
  constexpr uint64_t kSent = 5 << 20;  // the fourth MiB reserves as much again as was sent before
  constexpr uint64_t kReserved = 7 << 20;
  const std::string id = Start();
  std::optional<FullPool> full;
  std::atomic<bool> filled = false;
  uint64_t reserved = 0;
  ScriptedBody body(std::string(kSent, 'x'), 4 * kSent);
  body.CutAtTheEnd().BeforeTheEnd([&] {
    reserved = OccupiedBytes(store_);
    full.emplace(io_.pool(), IoThread::kPoolThreads);
    filled = true;
  });
  auto appending = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, body));
  const auto ended = [&] {
    return appending.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  while (!filled && !ended()) io_.Turn();
  // Gives the thread enough turns to be rejected, or to wait.
  for (int i = 0; i < 50; ++i) io_.Turn();
  full.reset();
  EXPECT_EQ(CodeOf(appending.get()), ErrorCode::kCancelled);
  EXPECT_GE(reserved, kReserved);
  EXPECT_LT(OccupiedBytes(store_), kReserved);
}

TEST_F(UploadsTest, ARequestThatTakesASessionOverReleasesItsSpace) {
  constexpr uint64_t kSent = 5 << 20;  // the fourth MiB reserves as much again as was sent before
  constexpr uint64_t kReserved = 7 << 20;
  const std::string id = Start();
  ScriptedBody silent(std::string(kSent, 'x'), 4 * kSent);
  silent.HeldAtTheEnd().CutAtTheEnd();
  auto first = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, silent));
  silent.AwaitHold();
  FullPool(io_.pool(), IoThread::kPoolThreads).Release();  // after all appends
  EXPECT_GE(OccupiedBytes(store_), kReserved);
  store_.clock.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(Append(id, ScriptedBody("hello", 5)).has_value());
  EXPECT_LT(OccupiedBytes(store_), kReserved);
  silent.Release();
  EXPECT_EQ(CodeOf(first.get()), ErrorCode::kCancelled);
}

// Ann has two of four bodies, and all are in use. A body of hers yields, and can be continued.
TEST_F(UploadsTest, ASilentBodyYieldsToAnotherUser) {
  Configure({.bodies = {.bodies = 4}});
  std::vector<std::string> ids;
  std::vector<std::unique_ptr<ScriptedBody>> bodies;
  std::vector<std::future<Result<UploadStatus>>> uploads;
  for (const std::string user : {"ann", "ann", "bob", "carol"}) {
    ids.push_back(Start(user));
    bodies.push_back(std::make_unique<ScriptedBody>("hello"));
    bodies.back()->HeldAtTheEnd().CutAtTheEnd();
    uploads.push_back(io_.Start(
        uploads_->Append(UserNamed(user), Repo("a"), ids.back(), std::nullopt, *bodies.back())));
    bodies.back()->AwaitHold();
  }
  const std::string daves = Start("dave");
  ScriptedBody body("hello", 5);
  const auto appended =
      Await(uploads_->Append(UserNamed("dave"), Repo("a"), daves, std::nullopt, body));
  EXPECT_TRUE(appended.has_value()) << appended.error().message;
  for (auto& held : bodies) held->Release();
  std::vector<ErrorCode> codes;
  for (auto& upload : uploads) codes.push_back(CodeOf(upload.get()));
  EXPECT_EQ(std::ranges::count(codes, ErrorCode::kRequestTimeout), 1);
  const size_t yielded = codes[0] == ErrorCode::kRequestTimeout ? 0 : 1;
  ASSERT_EQ(codes[yielded], ErrorCode::kRequestTimeout) << "of the user with most bodies";
  EXPECT_EQ(Append(ids[yielded], ScriptedBody(" world", 6), ByteRange{5, 6})->size_bytes, 11u);
}

TEST_F(UploadsTest, BodiesBeyondTheLimitAreRejected) {
  Configure({.bodies = {.bodies = 0}});
  const std::string id = Start();
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("hello", 5))), ErrorCode::kTooManyRequests);
  EXPECT_TRUE(Append(id, ScriptedBody("", 0)).has_value());
}

}  // namespace
}  // namespace outport::store
