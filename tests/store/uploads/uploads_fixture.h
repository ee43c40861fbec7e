#pragma once

#include <cstring>
#include <functional>
#include <future>
#include <optional>
#include <string>

#include "store/uploads/uploads.h"
#include "tests/store/content/content_fixture.h"
#include "tests/support/io_thread.h"

namespace outport::store {

// A body that arrives in pieces, and may end with an error or wait for the test.
class ScriptedBody final : public ByteSource {
 public:
  static constexpr std::chrono::seconds kPatience{30};
  static constexpr auto kReady = std::future_status::ready;

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
  // The body waits before its end until Release().
  ScriptedBody& HeldAtTheEnd() {
    held_ = true;
    return *this;
  }
  void Release() { released_.Notify(); }
  // Calls `hook` when all bytes are read, before the end.
  ScriptedBody& BeforeTheEnd(std::function<void()> hook) {
    hook_ = std::move(hook);
    return *this;
  }
  // Waits until the reader waits there.
  void AwaitHold() { EXPECT_TRUE(held_back_.get_future().wait_for(kPatience) == kReady); }
  size_t reads() const { return reads_; }

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override {
    ++reads_;
    const size_t size = std::min({buffer.size(), piece_, content_.size() - offset_});
    std::memcpy(buffer.data(), content_.data() + offset_, size);
    offset_ += size;
    if (size > 0) co_return size;
    if (hook_ != nullptr) std::exchange(hook_, nullptr)();
    if (held_) {
      held_back_.set_value();
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
  std::function<void()> hook_;
  std::promise<void> held_back_;
};

inline Actor UserNamed(std::string name) { return Actor{.kind = "user", .name = std::move(name)}; }

class UploadsTest : public testing::Test {
 protected:
  UploadsTest() {
    store_.keep_uploads = true;
    Configure({});
  }
  ~UploadsTest() override { io_.Stop(); }

  void Configure(UploadLimits limits) {
    limits_ = limits;
    uploads_.emplace(Uploads::Parts{.meta = *store_.meta,
                                    .bytes = *store_.bytes,
                                    .blobs = store_.content->blobs,
                                    .disk = io_.pool(),
                                    .clock = store_.clock,
                                    .store_clock = store_.store_clock,
                                    .owner = *store_.owner,
                                    .metrics = metrics_,
                                    .log = Log::Nowhere(),
                                    .boot_id = boot_id_,
                                    .limits = limits});
  }
  // Ends the process without a shutdown, and starts another one.
  void Restart() {
    uploads_.reset();
    store_.Reopen();
    Configure(limits_);
    const Result<void> loaded = uploads_->Load();
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  }
  // Restarts under another boot of the kernel.
  void Reboot() {
    boot_id_ += "'";
    Restart();
  }
  double Metric(const std::string& name) { return metrics_.Counter(name, "").Value(); }

  template <class T>
  T Await(net::awaitable<T> work) {
    return io_.Await(std::move(work));
  }
  std::string Start(const std::string& user = "ann", const std::string& repository = "a",
                    DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
    const auto started = Await(uploads_->Start(UserNamed(user), Repo(repository), algorithm));
    EXPECT_TRUE(started.has_value());
    return started.has_value() ? started->id : "";
  }
  Result<UploadStatus> Append(const std::string& id, ScriptedBody body,
                              std::optional<ByteRange> range = std::nullopt) {
    return AppendFrom(id, body, range);
  }
  Result<UploadStatus> AppendFrom(const std::string& id, ScriptedBody& body,
                                  std::optional<ByteRange> range = std::nullopt) {
    return Await(uploads_->Append(kAnn, Repo("a"), id, range, body));
  }
  Result<PushedBlob> Finish(const std::string& id, const Digest& digest, ScriptedBody body) {
    return Await(uploads_->Finish(kAnn, Repo("a"), id, std::nullopt, digest, body));
  }
  uint64_t Received(const std::string& id) {
    const auto status = uploads_->Stat(kAnn, Repo("a"), id);
    EXPECT_TRUE(status.has_value());
    return status.has_value() ? status->size_bytes : 0;
  }
  ErrorCode StatCode(const std::string& id, const std::string& user = "ann",
                     const std::string& repository = "a") {
    return CodeOf(uploads_->Stat(UserNamed(user), Repo(repository), id));
  }

  TestContent store_;
  std::string boot_id_ = "boot";
  UploadLimits limits_;
  Metrics metrics_;
  std::optional<Uploads> uploads_;
  IoThread io_;
};

}  // namespace outport::store
