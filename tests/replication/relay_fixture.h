#pragma once

#include <gtest/gtest.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "tests/replication/test_node.h"

namespace outport {

template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

// A client's body.
class ClientBody final : public ByteSource {
 public:
  explicit ClientBody(std::string content, bool announced = false)
      : content_(std::move(content)), announced_(announced) {}

  // After this many bytes, the client disconnects or sends no more.
  ClientBody& LeaveAt(size_t offset) {
    leaves_at_ = offset;
    return *this;
  }
  ClientBody& StallAt(size_t offset) {
    stalls_at_ = offset;
    return *this;
  }
  // Calls a function once, after this many bytes.
  ClientBody& CallAt(size_t offset, std::function<void()> call) {
    calls_at_ = offset;
    call_ = std::move(call);
    return *this;
  }
  size_t asked_for() const { return asked_for_; }

  std::optional<uint64_t> length() const override {
    return announced_ ? std::optional<uint64_t>(content_.size()) : std::nullopt;
  }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override {
    ++asked_for_;
    if (call_ && sent_ >= calls_at_) std::exchange(call_, nullptr)();
    if (sent_ >= stalls_at_) {
      net::steady_timer timer(co_await net::this_coro::executor, 60s);
      boost::system::error_code ignored;
      co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
      co_return Error{ErrorCode::kRequestTimeout, "the client was too slow"};
    }
    if (sent_ >= leaves_at_) co_return Error{ErrorCode::kCancelled, "the client left"};
    const size_t end = std::min({content_.size(), stalls_at_, leaves_at_});
    const size_t size = std::min({buffer.size(), end - sent_, size_t{100'000}});
    std::memcpy(buffer.data(), content_.data() + sent_, size);
    sent_ += size;
    co_return size;
  }

 private:
  const std::string content_;
  const bool announced_;
  size_t leaves_at_ = SIZE_MAX;
  size_t stalls_at_ = SIZE_MAX;
  size_t calls_at_ = SIZE_MAX;
  std::function<void()> call_;
  size_t sent_ = 0;
  std::atomic<size_t> asked_for_ = 0;
};

inline std::string LargeContent(size_t size) {
  std::string content;
  for (int i = 0; content.size() < size; ++i) content += std::to_string(i) + " ";
  content.resize(size);
  return content;
}

class RelayTest : public FleetTest {
 protected:
  RelayTest() {
    image_ = store_->PublishImage(kApp, "one");
    store_->PublishTag(kApp, "latest", image_.digest);
    store_->AddUser("ann", "secret", "pull,push,delete:library/**");
  }
  static Caller Ann(const std::string& password = "secret") {
    return Caller{.user = "ann",
                  .password = std::make_shared<const Secret>(password),
                  .certificate_name = "desktop",
                  .address = "192.0.2.1",
                  .request_id = "r-9"};
  }

  Result<UploadStatus> Start(Registry& registry, const Caller& caller = Ann(),
                             const std::string& repository = kApp) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      co_return co_await registry.StartUpload(caller, name, DigestAlgorithm::kSha256);
    });
  }
  Result<UploadStatus> Stat(Registry& registry, const std::string& id) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Caller caller = Ann();
      co_return co_await registry.StatUpload(caller, name, id);
    });
  }
  Result<UploadStatus> Append(Registry& registry, const std::string& id, ByteSource& body,
                              std::optional<ByteRange> range = std::nullopt,
                              const Caller& caller = Ann()) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<UploadStatus>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      co_return co_await registry.AppendUpload(caller, name, id, range, body);
    });
  }
  Result<PushedBlob> Finish(Registry& registry, const std::string& id, const Digest& digest,
                            ByteSource& body) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedBlob>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Caller caller = Ann();
      co_return co_await registry.FinishUpload(caller, name, id, std::nullopt, digest, body);
    });
  }
  Result<PushedBlob> PushBlob(Registry& registry, const std::string& content) {
    TRY(const UploadStatus session, Start(registry));
    ClientBody body(content);
    return Finish(registry, session.id, DigestOf(content), body);
  }
  Result<PushedManifest> Put(Registry& registry, const std::string& reference,
                             const std::string& body, const Caller& caller = Ann()) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedManifest>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Reference parsed = *ParseReference(reference);
      const std::string type(media_type::kOciManifest);
      co_return co_await registry.PutManifest(caller, name, parsed, type, {}, body);
    });
  }
  static std::string ManifestOf(const std::vector<std::string>& blobs) {
    std::string body =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)";
    for (size_t i = 0; i < blobs.size(); ++i) {
      body += i == 0 ? R"("config":)" : i == 1 ? R"(,"layers":[)" : ",";
      body += R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
              DigestOf(blobs[i]).ToString() + R"(","size":)" + std::to_string(blobs[i].size()) +
              "}";
    }
    return body + "]}";
  }
  Result<Deleted> Delete(Registry& registry, const std::string& reference) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<Deleted>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Reference parsed = *ParseReference(reference);
      const Caller caller = Ann();
      co_return co_await registry.DeleteManifest(caller, name, parsed);
    });
  }
  Result<Deleted> DeleteBlob(Registry& registry, const Digest& digest) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<Deleted>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Caller caller = Ann();
      co_return co_await registry.DeleteBlob(caller, name, digest);
    });
  }
  Result<PushedBlob> Mount(Registry& registry, const std::string& into, const Digest& digest,
                           const std::string& from) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedBlob>> {
      const RepositoryName name = *RepositoryName::Parse(into);
      const std::optional<RepositoryName> source = *RepositoryName::Parse(from);
      const Visible nothing = [](const RepositoryName&) { return false; };  // the store decides
      const Caller caller = Ann();
      co_return co_await registry.MountBlob(caller, name, digest, source, nothing);
    });
  }
  // Pushes an image of these blobs through `registry`.
  Digest Push(Registry& registry, const std::string& tag, const std::vector<std::string>& blobs) {
    for (const std::string& blob : blobs) {
      const auto pushed = PushBlob(registry, blob);
      EXPECT_TRUE(pushed) << pushed.error().message;
    }
    const auto pushed = Put(registry, tag, ManifestOf(blobs));
    EXPECT_TRUE(pushed) << pushed.error().message;
    return pushed.has_value() ? pushed->digest : DigestOf("");
  }

  TestStore::Image image_{DigestOf(""), {}};
};

}  // namespace outport
