#include <atomic>
#include <fstream>

#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/content/repository_content.h"
#include "store/replication/read_blob.h"
#include "tests/node/blobs/blob_fixture.h"
#include "tests/support/sanitizer.h"

namespace outport::node {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A replication service with ReadBlob alone.
class ReadBlobService final : public v1::Replication::CallbackService {
 public:
  explicit ReadBlobService(store::ReadBlob& read_blob) : read_blob_(read_blob) {}
  grpc::ServerWriteReactor<v1::BlobChunk>* ReadBlob(grpc::CallbackServerContext* context,
                                                    const v1::ReadBlobRequest* request) override {
    auto allowed = [this]() -> Result<void> {
      if (chunks_allowed-- > 0) return {};
      return Error{ErrorCode::kUnauthorized, "the node was removed meanwhile"};
    };
    return read_blob_.Start(context, request, "eu-west", std::move(allowed));
  }

  std::atomic<int> chunks_allowed = 1'000'000;

 private:
  store::ReadBlob& read_blob_;
};

// A node's cache that fetches from the store's own ReadBlob, over a store's folder.
class StoreFetchTest : public BlobFixture {
 protected:
  StoreFetchTest() {
    StopStore();
    store_blobs_ =
        *DiskBlobStore::Open(files_, folder_.path() / "store", "uploads", BlobWrites::kDirect);
    store_meta_ =
        OpenRocksMetaStore({.folder = folder_.path() / "store" / "meta"}, Log::Nowhere()).value();
    owner_ = std::make_unique<store::Owner>(*store_meta_, store_clock_,
                                            store::Owner::Access::kExclusive);
    content_ = std::make_unique<store::Content>(store::Blobs::Parts{.meta = *store_meta_,
                                                                    .bytes = *store_blobs_,
                                                                    .clock = clock_,
                                                                    .store_clock = store_clock_,
                                                                    .owner = *owner_,
                                                                    .metrics = metrics_,
                                                                    .log = Log::Nowhere()});
    Serve({});
  }
  ~StoreFetchTest() override {
    CloseCache();
    StopServing();
  }

  void Serve(store::ReadBlobLimits limits) {
    read_blob_ = std::make_unique<store::ReadBlob>(content_->blobs, disk_, tasks_, metrics_,
                                                   Log::Nowhere(), limits);
    serving_ = std::make_unique<ReadBlobService>(*read_blob_);
    service_ = serving_.get();
    StartStore();
  }
  void StopServing() {
    StopStore();
    EXPECT_TRUE(tasks_.DrainBlocking(std::chrono::steady_clock::now() + 20s));
  }

  TestBlob Pushed(uint64_t seed, uint64_t size_bytes) {
    const TestBlob blob(seed, size_bytes);
    const auto writer = *store_blobs_->Create(blob.digest());
    for (uint64_t at = 0; at < size_bytes; at += kMiB) {
      const std::string part = blob.Content(at, std::min(kMiB, size_bytes - at));
      EXPECT_TRUE(writer->Append(AsBytes(part)).has_value());
    }
    const auto pushed =
        content_->blobs.Commit(repository_, *writer, blob.digest(), store::Actor::Store());
    EXPECT_TRUE(pushed.has_value());
    links_.Add(repository_, blob);
    return blob;
  }
  // Makes one ReadBlob call. Returns the bytes, or the error's message.
  std::string Call(const std::string& repository, const TestBlob& blob, uint64_t offset,
                   uint64_t length) {
    const auto stub = v1::Replication::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    v1::ReadBlobRequest request;
    request.set_repository(repository);
    request.set_digest(blob.digest().ToString());
    request.set_offset(offset);
    request.set_length(length);
    const auto reader = stub->ReadBlob(&context, request);
    std::string bytes;
    v1::BlobChunk chunk;
    while (reader->Read(&chunk)) {
      EXPECT_EQ(chunk.crc32c(), Crc32c(AsBytes(chunk.data())));
      EXPECT_EQ(chunk.total_bytes(), bytes.empty() ? blob.size_bytes() : 0);
      bytes += chunk.data();
    }
    const grpc::Status status = reader->Finish();
    return status.ok() ? bytes : rpc::FromStatus(status, "").message;
  }

  SystemClock clock_;
  store::StoreClock store_clock_{clock_};
  std::unique_ptr<MetaStore> store_meta_;
  std::unique_ptr<DiskBlobStore> store_blobs_;
  std::unique_ptr<store::Owner> owner_;
  std::unique_ptr<store::Content> content_;
  TaskGroup tasks_{context_.get_executor(), Log::Nowhere()};
  std::unique_ptr<store::ReadBlob> read_blob_;
  std::unique_ptr<ReadBlobService> serving_;
};
using I8MemoryIsBounded = StoreFetchTest;

TEST_F(StoreFetchTest, BlobsArriveComplete) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kChecksumBlockBytes, 5 * kMiB + 3}) {
    const TestBlob blob = Pushed(size + 1, size);
    std::vector<std::future<ReadOutcome>> readers;
    for (int i = 0; i < 4; ++i) readers.push_back(StartReading(blob));
    for (auto& reader : readers) ExpectWhole(reader.get(), blob);
  }
}

TEST_F(StoreFetchTest, RangesAreServedInBlocks) {
  const TestBlob blob = Pushed(1, 2 * kMiB + 100);
  const std::string content = blob.Content();
  EXPECT_TRUE(Call("library/busybox", blob, 0, 0) == content);
  EXPECT_TRUE(Call("library/busybox", blob, kMiB, 0) == content.substr(kMiB));
  EXPECT_TRUE(Call("library/busybox", blob, kMiB, 1) == content.substr(kMiB, kChecksumBlockBytes));
  EXPECT_TRUE(Call("library/busybox", blob, 2 * kMiB, 1000) == content.substr(2 * kMiB));
}

TEST_F(StoreFetchTest, BadRequestsGetAReason) {
  const TestBlob blob = Pushed(2, kMiB);
  EXPECT_THAT(Call("library/busybox", blob, 1, 0), testing::HasSubstr("multiple of 262144"));
  EXPECT_THAT(Call("library/busybox", blob, 2 * kMiB, 0), testing::HasSubstr("1048576 bytes"));
  EXPECT_THAT(Call("library/BusyBox", blob, 0, 0), testing::HasSubstr("BusyBox"));
  EXPECT_THAT(Call("library/busybox", TestBlob(3, 10), 0, 0), testing::HasSubstr("busybox"));
  EXPECT_THAT(Call("tenant/other", blob, 0, 0), testing::HasSubstr("tenant/other"));
}

TEST_F(StoreFetchTest, StreamsOfANodeAreBounded) {
  StopServing();
  Serve({.streams_per_node = 0, .progress_deadline = 10s});
  const TestBlob blob = Pushed(4, kMiB);
  EXPECT_THAT(Call("library/busybox", blob, 0, 0),
              testing::HasSubstr("node 'eu-west' has 0 blob streams"));
}

TEST_F(StoreFetchTest, AStreamOfANodeThatReadsNothingEnds) {
  StopServing();
  Serve({.streams_per_node = 4, .progress_deadline = 100ms});
  const TestBlob blob = Pushed(5, 64 * kMiB);
  const auto stub = v1::Replication::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ReadBlobRequest request;
  request.set_repository(repository_.ToString());
  request.set_digest(blob.digest().ToString());
  const auto reader = stub->ReadBlob(&context, request);
  EXPECT_TRUE(Await([&] { return tasks_.Count() == 1; }));
  EXPECT_TRUE(Await([&] { return tasks_.Count() == 0; }));
  context.TryCancel();
  EXPECT_FALSE(reader->Finish().ok());
}

TEST_F(StoreFetchTest, I6ANodeThatIsRemovedWhileItReadsGetsNoMoreBytes) {
  const TestBlob blob = Pushed(8, 16 * kMiB);
  serving_->chunks_allowed = 3;
  EXPECT_THAT(Call(repository_.ToString(), blob, 0, 0),
              testing::HasSubstr("was removed meanwhile"));
  EXPECT_EQ(serving_->chunks_allowed, -1);
}

TEST_F(StoreFetchTest, I1ACorruptBlobOfTheStoreReachesNoReader) {
  const TestBlob blob = Pushed(6, 2 * kMiB);
  for (const auto& file : FilesUnder("store/blobs")) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(kMiB + 17);
    stream << "rot";
  }
  const ReadOutcome outcome = ReadWhole(blob);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kCorrupt) << outcome.error->message;
  EXPECT_LE(outcome.received, kMiB);
  EXPECT_TRUE(AwaitNoFetch());
  EXPECT_FALSE(IsCached(blob));
  EXPECT_EQ(FilesUnder("store/quarantine").size(), 1u);
  EXPECT_THAT(metrics_.Render(), testing::HasSubstr("outport_store_blobs_corrupt_total 1"));
}

// Returns the resident memory of the process, in bytes.
uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

TEST_F(I8MemoryIsBounded, AFetchOfALargeBlobNeedsLittle) {
  if (testing_support::kSanitized) GTEST_SKIP() << "a sanitizer's own memory is counted too";
  const TestBlob warm_up = Pushed(7, 32 * kMiB);
  ExpectWhole(ReadWhole(warm_up), warm_up);
  const TestBlob blob = Pushed(8, 512 * kMiB);
  const uint64_t before = ResidentBytes();
  uint64_t most = before;
  auto look = [&most](uint64_t) { most = std::max(most, ResidentBytes()); };
  ExpectWhole(StartReading(blob, look).get(), blob);
  ExpectWhole(StartReading(blob, look).get(), blob);
  EXPECT_LT(most - before, 64 * kMiB);
}

}  // namespace
}  // namespace outport::node
