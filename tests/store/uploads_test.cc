#include "store/uploads.h"

#include <cstring>
#include <fstream>

#include "tests/store/content_fixture.h"
#include "tests/store/io_thread.h"

namespace outport::store {
namespace {

// A body that arrives in pieces, and may end in an error or wait for the test in between.
class ScriptedBody final : public ByteSource {
 public:
  explicit ScriptedBody(std::string content, std::optional<uint64_t> length = std::nullopt)
      : content_(std::move(content)), length_(length) {}

  ScriptedBody& InPiecesOf(size_t size) {
    piece_ = size;
    return *this;
  }
  ScriptedBody& CutAtTheEnd() {
    cut_ = true;
    return *this;
  }
  // The body stops before its end until Release().
  ScriptedBody& HeldAtTheEnd() {
    held_ = true;
    return *this;
  }
  void Release() { released_.Notify(); }
  size_t reads() const { return reads_; }

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override {
    ++reads_;
    const size_t size = std::min({buffer.size(), piece_, content_.size() - offset_});
    std::memcpy(buffer.data(), content_.data() + offset_, size);
    offset_ += size;
    if (size > 0) co_return size;
    if (held_) {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      co_await released_.WaitPast(0, deadline);
    }
    if (cut_) co_return Error{ErrorCode::kCancelled, "the client left"};
    co_return size_t{0};
  }

 private:
  const std::string content_;
  const std::optional<uint64_t> length_;
  size_t offset_ = 0;
  size_t piece_ = SIZE_MAX;
  size_t reads_ = 0;
  bool cut_ = false;
  bool held_ = false;
  Notifier released_;
};

class UploadsTest : public testing::Test {
 protected:
  UploadsTest() { Configure({}); }
  ~UploadsTest() override { io_.Stop(); }

  void Configure(UploadLimits limits) {
    uploads_.emplace(Uploads::Parts{.bytes = *store_.bytes,
                                    .blobs = store_.content->blobs,
                                    .disk = io_.pool(),
                                    .clock = store_.clock,
                                    .metrics = metrics_,
                                    .limits = limits});
  }

  template <class T>
  T Await(net::awaitable<T> work) {
    return io_.Await(std::move(work));
  }
  std::string Start(const std::string& user = "ann", const std::string& repository = "a") {
    const auto started = Await(uploads_->Start(user, Repo(repository)));
    EXPECT_TRUE(started.has_value());
    return started.has_value() ? started->id : "";
  }
  Result<UploadStatus> Append(const std::string& id, ScriptedBody body,
                              std::optional<ByteRange> range = std::nullopt) {
    return AppendFrom(id, body, range);
  }
  Result<UploadStatus> AppendFrom(const std::string& id, ScriptedBody& body,
                                  std::optional<ByteRange> range = std::nullopt) {
    return Await(uploads_->Append("ann", Repo("a"), id, range, body));
  }
  Result<PushedBlob> Finish(const std::string& id, const Digest& digest, ScriptedBody body) {
    return Await(uploads_->Finish("ann", Repo("a"), id, std::nullopt, digest, body));
  }
  uint64_t Received(const std::string& id) {
    const auto status = uploads_->Stat("ann", Repo("a"), id);
    EXPECT_TRUE(status.has_value());
    return status.has_value() ? status->size_bytes : 0;
  }
  ErrorCode StatCode(const std::string& id, const std::string& user = "ann",
                     const std::string& repository = "a") {
    return CodeOf(uploads_->Stat(user, Repo(repository), id));
  }

  TestContent store_;
  Metrics metrics_;
  std::optional<Uploads> uploads_;
  IoThread io_;
};

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
  EXPECT_EQ(Received(id), 4u);  // what was announced
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("o"), ByteRange{4, 2})), ErrorCode::kSizeInvalid);
  EXPECT_EQ(Received(id), 5u);
  EXPECT_TRUE(Finish(id, Sha256("hello"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, ACutBodyKeepsWhatArrived) {
  const std::string id = Start();
  ScriptedBody body("hello", 100);
  body.CutAtTheEnd();
  EXPECT_EQ(CodeOf(AppendFrom(id, body)), ErrorCode::kCancelled);
  EXPECT_EQ(Received(id), 5u);
  ScriptedBody cut_finish(" wo", 6);
  cut_finish.CutAtTheEnd();
  EXPECT_EQ(CodeOf(Await(uploads_->Finish("ann", Repo("a"), id, std::nullopt, Sha256("hello world"),
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
  EXPECT_EQ(CodeOf(Await(uploads_->Cancel("bob", Repo("a"), id))), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(id), 0u);
}

TEST_F(UploadsTest, OneRequestWorksOnASessionAtATime) {
  const std::string id = Start();
  ScriptedBody slow("hello");
  slow.HeldAtTheEnd();
  auto first = io_.Start(uploads_->Append("ann", Repo("a"), id, std::nullopt, slow));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  ErrorCode second = ErrorCode::kInternal;
  while (second != ErrorCode::kTooManyRequests && std::chrono::steady_clock::now() < deadline) {
    const auto refused = Append(id, ScriptedBody("", 0));
    if (!refused.has_value()) second = refused.error().code;
  }
  EXPECT_EQ(second, ErrorCode::kTooManyRequests);
  EXPECT_EQ(CodeOf(Await(uploads_->Cancel("ann", Repo("a"), id))), ErrorCode::kTooManyRequests);
  slow.Release();
  EXPECT_EQ(first.get()->size_bytes, 5u);
  EXPECT_TRUE(Finish(id, Sha256("hello"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, ACancelledSessionIsGone) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  ASSERT_TRUE(Await(uploads_->Cancel("ann", Repo("a"), id)).has_value());
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
  EXPECT_EQ(uploads_->Expire(), 1u);
  EXPECT_EQ(StatCode(idle), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(used), 5u);
  EXPECT_EQ(store_.Files("uploads").size(), 1u);
}

TEST_F(UploadsTest, AFullTableRefusesUntilASessionIsForgotten) {
  Configure({.sessions = {.sessions = 2}});
  const std::string first = Start();
  store_.clock.Advance(std::chrono::minutes(50));
  const std::string second = Start();
  EXPECT_EQ(CodeOf(Await(uploads_->Start("ann", Repo("a")))), ErrorCode::kTooManyRequests);
  store_.clock.Advance(std::chrono::minutes(10));
  const std::string third = Start();
  EXPECT_EQ(StatCode(first), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(second), 0u);
  EXPECT_EQ(Received(third), 0u);
}

TEST_F(UploadsTest, BodiesBeyondTheLimitAreRefused) {
  Configure({.receiving = 0});
  const std::string id = Start();
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("hello", 5))), ErrorCode::kTooManyRequests);
  EXPECT_TRUE(Append(id, ScriptedBody("", 0)).has_value());
}

TEST_F(UploadsTest, StartUpDiscardsWhatWasOpen) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  EXPECT_EQ(store_.Files("uploads").size(), 1u);
  {
    std::ofstream(store_.root / "uploads" / "left-by-another-process") << "x";
  }
  uploads_.reset();
  store_.Reopen();
  EXPECT_TRUE(store_.Files("uploads").empty());
}

}  // namespace
}  // namespace outport::store
