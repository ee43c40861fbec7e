#pragma once

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <functional>
#include <future>
#include <set>
#include <thread>

#include "node/blobs/blob_cache.h"
#include "registry/rpc/channel.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "tests/node/blobs/scripted_store.h"
#include "tests/support/memory_meta_store.h"
#include "tests/support/temporary_folder.h"

namespace outport::node {

using namespace std::chrono_literals;

// Links that the test creates.
class TestLinks final : public BlobLinks {
 public:
  void Add(const RepositoryName& repository, const TestBlob& blob) {
    links_.insert_or_assign({repository, blob.digest()}, blob.size_bytes());
  }
  net::awaitable<Result<BlobInfo>> Require(const Caller&, const RepositoryName& repository,
                                           const Digest& digest) override {
    const auto found = links_.find({repository, digest});
    if (found == links_.end()) co_return Error{ErrorCode::kBlobUnknown, "not linked"};
    co_return BlobInfo{digest, found->second};
  }
  net::awaitable<Result<BlobInfo>> Confirm(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override {
    return Require(caller, repository, digest);
  }

 private:
  std::map<std::pair<RepositoryName, Digest>, uint64_t> links_;
};

// The result of reading a body to its end or to an error.
struct ReadOutcome {
  uint64_t received = 0;
  std::optional<Digest> digest;  // of the received bytes
  std::optional<Error> error;
};

// A node's cache over a folder, a scripted store behind gRPC, and a context that runs coroutines.
class BlobFixture : public testing::Test {
 protected:
  BlobFixture() : guard_(context_.get_executor()) {
    rpc::KeepGrpcInitialized();
    for (int i = 0; i < 2; ++i) runners_.emplace_back([this] { context_.run(); });
    blobs_ = *DiskBlobStore::Open(files_, folder_.path(), "fetch", BlobWrites::kCached);
    StartStore();
  }
  ~BlobFixture() override {
    CloseCache();
    StopStore();
    guard_.reset();
    for (std::thread& runner : runners_) runner.join();
    disk_.Stop();
  }

  void StartStore() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void StopStore() {
    store_.Release();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  std::shared_ptr<grpc::Channel> Connect() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                               grpc::InsecureChannelCredentials());
  }

  // The cache, opened at first use.
  BlobCache& Cache() {
    if (cache_ == nullptr) {
      channel_ = std::make_shared<StoreChannel>(Connect());
      source_ = std::make_unique<BlobSource>(std::vector{channel_}, counted_);
      BlobStore& blobs = blob_store_ != nullptr ? *blob_store_ : *blobs_;
      cache_ = std::make_unique<BlobCache>(BlobCache::Parts{.links = links_,
                                                            .source = *source_,
                                                            .meta = meta_,
                                                            .blobs = blobs,
                                                            .disk = disk_,
                                                            .metrics = counted_,
                                                            .log = Log::Nowhere(),
                                                            .limits = limits_,
                                                            .boot_id = boot_id_});
      EXPECT_TRUE(cache_->Recover().has_value());
    }
    return *cache_;
  }
  // Closes the cache, as the end of the process does. The next Cache() is another process.
  void CloseCache() {
    cache_.reset();
    source_.reset();
  }

  // A blob that the store has and the repository links.
  TestBlob Stored(uint64_t seed, uint64_t size_bytes) {
    TestBlob blob(seed, size_bytes);
    store_.Add(blob);
    links_.Add(repository_, blob);
    return blob;
  }

  template <class Work>
  auto Spawn(Work work) {
    return net::co_spawn(net::make_strand(context_), std::move(work), net::use_future);
  }
  template <class Work>
  auto RunToEnd(Work work) {
    return Spawn(std::move(work)).get();
  }

  Result<std::unique_ptr<BlobBody>> Open(const Digest& digest) {
    BlobCache& cache = Cache();
    return RunToEnd([&] { return cache.Open(caller_, repository_, digest); });
  }
  // Opens the blob and reads it from the first byte; calls `step` with the number of bytes so far.
  std::future<ReadOutcome> StartReading(const TestBlob& blob,
                                        std::function<void(uint64_t)> step = nullptr) {
    BlobCache& cache = Cache();
    return Spawn([this, &cache, blob, step]() -> net::awaitable<ReadOutcome> {
      auto body = co_await cache.Open(caller_, repository_, blob.digest());
      if (!body.has_value()) co_return ReadOutcome{0, std::nullopt, body.error()};
      EXPECT_EQ((*body)->info().size_bytes, blob.size_bytes());
      co_return co_await ReadToEnd(**body, step);
    });
  }
  ReadOutcome ReadWhole(const TestBlob& blob) { return StartReading(blob).get(); }
  static net::awaitable<ReadOutcome> ReadToEnd(BlobBody& body,
                                               std::function<void(uint64_t)> step = nullptr) {
    ReadOutcome outcome;
    Hasher hasher(DigestAlgorithm::kSha256);
    while (outcome.received < body.info().size_bytes) {
      const Result<Bytes> bytes = co_await body.Read(outcome.received, 100000);
      if (!bytes.has_value()) {
        outcome.error = bytes.error();
        break;
      }
      EXPECT_GT(bytes->size(), 0u);
      hasher.Update(*bytes);
      outcome.received += bytes->size();
      if (step != nullptr) step(outcome.received);
    }
    outcome.digest = hasher.Current();
    co_return outcome;
  }
  static void ExpectWhole(const ReadOutcome& outcome, const TestBlob& blob) {
    EXPECT_EQ(outcome.error.has_value() ? outcome.error->message : "", "");
    EXPECT_EQ(outcome.received, blob.size_bytes());
    if (outcome.digest.has_value()) EXPECT_EQ(outcome.digest->ToString(), blob.digest().ToString());
  }

  // Waits for a condition.
  static bool Await(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(2ms);
    }
    return true;
  }
  bool AwaitNoFetch() {
    return Await([this] { return counted_.running.Value() == 0; });
  }
  bool IsCached(const TestBlob& blob) { return *Cache().IsCached(blob.digest()); }
  std::vector<std::filesystem::path> FilesUnder(const std::string& name) const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path() / name)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }

  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  std::vector<std::thread> runners_;
  PosixFileSystem files_;
  TemporaryFolder folder_;
  std::unique_ptr<DiskBlobStore> blobs_;
  BlobStore* blob_store_ = nullptr;  // replaces blobs_ if set
  MemoryMetaStore meta_;
  Metrics metrics_;
  FetchMetrics counted_{metrics_};
  BlockingPool disk_{"disk", 2, 256};
  TestLinks links_;
  ScriptedStore store_;
  grpc::Service* service_ = &store_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  CacheLimits limits_;
  std::string boot_id_ = BootId();
  std::shared_ptr<StoreChannel> channel_;  // shared with the source
  std::unique_ptr<BlobSource> source_;
  std::unique_ptr<BlobCache> cache_;
  const Caller caller_{};
  const RepositoryName repository_ = *RepositoryName::Parse("library/busybox");
};

}  // namespace outport::node
