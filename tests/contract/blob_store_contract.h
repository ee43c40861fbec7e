#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "registry/storage/blob_store.h"

// The contract of every BlobStore. An implementation's test instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Disk, BlobStoreContract, testing::Values(&MakeDiskBlobStoreHome));
namespace outport {

// A store that the test can open again, as a new process does, and whose objects it can corrupt.
class BlobStoreHome {
 public:
  virtual ~BlobStoreHome() = default;
  virtual BlobStore& store() = 0;
  virtual void Reopen() = 0;
  virtual void FlipBit(const std::string& object, uint64_t offset) = 0;
  virtual void CutTo(const std::string& object, uint64_t size_bytes) = 0;
};

using MakeBlobStoreHome = std::unique_ptr<BlobStoreHome> (*)();

// Bytes that differ from block to block.
inline std::string BlobContent(size_t size) {
  std::string content(size, '\0');
  uint64_t state = 0x9e3779b97f4a7c15;
  for (char& c : content) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state);
  }
  return content;
}

inline Digest DigestOf(std::string_view content,
                       DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
  return Digest::Of(algorithm, AsBytes(content));
}

class BlobStoreContract : public testing::TestWithParam<MakeBlobStoreHome> {
 protected:
  static constexpr size_t kBlock = kChecksumBlockBytes;

  BlobStore& store() { return home_->store(); }
  Result<void> Remove(const std::vector<std::string>& objects) { return store().Remove(objects); }

  std::unique_ptr<BlobWriter> Start() {
    auto writer = store().Create(DigestAlgorithm::kSha256, RandomHex(8));
    EXPECT_TRUE(writer.has_value()) << writer.error().message;
    return *std::move(writer);
  }

  // Appends in pieces that do not align with the blocks.
  static void Append(BlobWriter& writer, std::string_view content) {
    while (!content.empty()) {
      const auto piece = content.substr(0, 100'003);
      const auto appended = writer.Append(AsBytes(piece));
      ASSERT_TRUE(appended.has_value()) << appended.error().message;
      content.remove_prefix(piece.size());
    }
  }

  BlobLocation Put(std::string_view content,
                   BlobWriter::SyncWhen sync = BlobWriter::SyncWhen::kNow) {
    auto writer = Start();
    Append(*writer, content);
    auto location = writer->Commit(DigestOf(content), sync);
    EXPECT_TRUE(location.has_value()) << location.error().message;
    return *location;
  }

  std::unique_ptr<BlobReader> Open(const BlobLocation& location) {
    auto reader = store().Open(location);
    EXPECT_TRUE(reader.has_value()) << reader.error().message;
    return *std::move(reader);
  }

  // Reads from `offset` to the end, with a buffer of this many blocks.
  template <class Source>
  static std::string ReadAll(const Source& source, size_t blocks = 1, uint64_t offset = 0) {
    std::string content;
    std::vector<std::byte> buffer(blocks * kBlock);
    for (;;) {
      const auto size = source.Read(offset + content.size(), buffer);
      EXPECT_TRUE(size.has_value()) << size.error().message;
      if (!size.has_value() || *size == 0) return content;
      content.append(AsText(Bytes(buffer).first(*size)));
    }
  }

  std::unique_ptr<BlobStoreHome> home_ = GetParam()();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BlobStoreContract);

TEST_P(BlobStoreContract, GivesBackWhatWasCommitted) {
  for (const size_t size : {size_t{0}, size_t{1}, kBlock - 1, kBlock, kBlock + 1, 5 * kBlock + 7}) {
    SCOPED_TRACE(size);
    const std::string content = BlobContent(size);
    const BlobLocation location = Put(content);
    EXPECT_EQ(location.size_bytes, size);
    EXPECT_EQ(location.checksums.size(), (size + kBlock - 1) / kBlock);
    const auto reader = Open(location);
    EXPECT_EQ(reader->size_bytes(), size);
    EXPECT_TRUE(ReadAll(*reader) == content);
    EXPECT_TRUE(ReadAll(*reader, 3) == content);
    EXPECT_TRUE(ReadAll(*reader, 100) == content);
  }
}

TEST_P(BlobStoreContract, KeepsBlobsWhenItIsOpenedAgain) {
  const std::string content = BlobContent(kBlock + 5);
  const BlobLocation location = Put(content);
  home_->Reopen();
  EXPECT_TRUE(ReadAll(*Open(location)) == content);
}

TEST_P(BlobStoreContract, ReadsFromAnyBlock) {
  const std::string content = BlobContent(4 * kBlock + 9);
  const auto reader = Open(Put(content));
  for (const size_t block : {0, 1, 3, 4}) {
    EXPECT_TRUE(ReadAll(*reader, 2, block * kBlock) == content.substr(block * kBlock));
  }
  std::vector<std::byte> buffer(kBlock);
  EXPECT_EQ(*reader->Read(5 * kBlock, buffer), 0u);
  EXPECT_FALSE(reader->Read(17, buffer).has_value());
  EXPECT_FALSE(reader->Read(0, MutableBytes(buffer).first(kBlock - 1)).has_value());
  EXPECT_EQ(*reader->Read(4 * kBlock, MutableBytes(buffer).first(9)), 9u);
}

TEST_P(BlobStoreContract, ReadCachedGivesCheckedBlocksOrNothing) {
  const std::string content = BlobContent(2 * kBlock + 9);
  const auto reader = Open(Put(content));
  std::vector<std::byte> buffer(4 * kBlock);
  const auto size = reader->ReadCached(0, buffer);
  ASSERT_TRUE(size.has_value());
  EXPECT_TRUE(*size % kBlock == 0 || *size == content.size()) << *size;
  EXPECT_TRUE(content.starts_with(AsText(Bytes(buffer).first(*size))));
}

// I1: every byte read from the disk is checked.
TEST_P(BlobStoreContract, I1FlippedBitInAnyBlockIsDetected) {
  const std::string content = BlobContent(3 * kBlock + 100);
  for (const uint64_t damaged : {uint64_t{0}, uint64_t{kBlock - 1}, uint64_t{kBlock},
                                 uint64_t{2 * kBlock + 17}, uint64_t{3 * kBlock + 99}}) {
    SCOPED_TRACE(damaged);
    const BlobLocation location = Put(content);
    home_->FlipBit(location.object, damaged);
    const auto reader = Open(location);
    std::vector<std::byte> buffer(kBlock);
    for (uint64_t block = 0; block < 4; ++block) {
      const auto size = reader->Read(block * kBlock, buffer);
      const auto cached = reader->ReadCached(block * kBlock, buffer);
      if (block != damaged / kBlock) {
        EXPECT_TRUE(size.has_value());
        continue;
      }
      ASSERT_FALSE(size.has_value());
      EXPECT_EQ(size.error().code, ErrorCode::kCorrupt);
      EXPECT_NE(size.error().message.find(location.object), std::string::npos);
      EXPECT_TRUE(!cached.has_value() || *cached == 0);
    }
  }
}

TEST_P(BlobStoreContract, I1TruncatedObjectIsNotOpened) {
  const BlobLocation location = Put(BlobContent(2 * kBlock));
  home_->CutTo(location.object, kBlock);
  EXPECT_EQ(store().Open(location).error().code, ErrorCode::kCorrupt);
}

TEST_P(BlobStoreContract, I1ObjectTruncatedUnderAReaderIsDetected) {
  const BlobLocation location = Put(BlobContent(2 * kBlock));
  const auto reader = Open(location);
  home_->CutTo(location.object, kBlock + 10);
  std::vector<std::byte> buffer(2 * kBlock);
  EXPECT_EQ(reader->Read(0, buffer).error().code, ErrorCode::kCorrupt);
}

TEST_P(BlobStoreContract, RejectsAnotherDigest) {
  auto writer = Start();
  Append(*writer, "abc");
  const std::string object = writer->object();
  EXPECT_EQ(writer->Commit(DigestOf("abd")).error().code, ErrorCode::kDigestInvalid);
  EXPECT_FALSE(writer->Append(AsBytes("d")).has_value());
  EXPECT_FALSE(writer->Commit(DigestOf("abc")).has_value());
  EXPECT_EQ(store().Open({object, 3, {Crc32c(AsBytes("abc"))}}).error().code,
            ErrorCode::kBlobUnknown);
}

TEST_P(BlobStoreContract, CommitsUnderAnotherAlgorithm) {
  const std::string content = BlobContent(kBlock + 3);
  const Digest digest = DigestOf(content, DigestAlgorithm::kSha512);
  auto writer = Start();
  Append(*writer, content);
  EXPECT_EQ(writer->Current(DigestAlgorithm::kSha512), digest);
  const auto location = writer->Commit(digest);
  ASSERT_TRUE(location.has_value()) << location.error().message;
  EXPECT_TRUE(ReadAll(*Open(*location)) == content);

  auto wrong = Start();
  Append(*wrong, content);
  EXPECT_EQ(wrong->Commit(DigestOf("x", DigestAlgorithm::kSha512)).error().code,
            ErrorCode::kDigestInvalid);
}

TEST_P(BlobStoreContract, NamesTheObjectBeforeTheCommit) {
  auto unnamed = Start();
  Append(*unnamed, "abc");
  const std::string unnamed_object = unnamed->object();
  EXPECT_EQ(unnamed->Commit(DigestOf("abc"))->object, unnamed_object);

  auto named = store().Create(DigestOf("abc"));
  ASSERT_TRUE(named.has_value());
  const std::string named_object = (*named)->object();
  Append(**named, "abc");
  EXPECT_EQ((*named)->Commit(DigestOf("abc"))->object, named_object);
  EXPECT_NE(named_object, unnamed_object);
}

TEST_P(BlobStoreContract, KeepsTwoCommitsOfOneContentApart) {
  const BlobLocation first = Put("same");
  const BlobLocation second = Put("same");
  EXPECT_NE(first.object, second.object);
  ASSERT_TRUE(Remove({first.object}).has_value());
  EXPECT_EQ(store().Open(first).error().code, ErrorCode::kBlobUnknown);
  EXPECT_EQ(ReadAll(*Open(second)), "same");
}

TEST_P(BlobStoreContract, RemoveSparesReadersAndIsNoErrorTwice) {
  const std::string content = BlobContent(2 * kBlock);
  const BlobLocation location = Put(content);
  const auto reader = Open(location);
  ASSERT_TRUE(Remove({location.object}).has_value());
  ASSERT_TRUE(Remove({location.object}).has_value());
  EXPECT_EQ(store().Open(location).error().code, ErrorCode::kBlobUnknown);
  EXPECT_TRUE(ReadAll(*reader) == content);
}

TEST_P(BlobStoreContract, RemovesABatch) {
  std::vector<BlobLocation> removed;
  std::vector<std::string> objects;
  for (int i = 0; i < 50; ++i) {
    removed.push_back(Put("blob " + std::to_string(i)));
    objects.push_back(removed.back().object);
  }
  objects.push_back(objects.front());
  objects.push_back(Put("gone").object);
  ASSERT_TRUE(Remove({objects.back()}).has_value());
  const BlobLocation kept = Put("kept");
  ASSERT_TRUE(Remove(objects).has_value());
  for (const BlobLocation& location : removed) {
    EXPECT_EQ(store().Open(location).error().code, ErrorCode::kBlobUnknown);
  }
  EXPECT_EQ(ReadAll(*Open(kept)), "kept");
  EXPECT_TRUE(Remove({}).has_value());
}

TEST_P(BlobStoreContract, ABatchGoesOnAfterAnErrorAndReturnsTheFirst) {
  const BlobLocation first = Put("first");
  const BlobLocation last = Put("last");
  const Result<void> removed = Remove({first.object, "no/object", "no/other", last.object});
  ASSERT_FALSE(removed.has_value());
  EXPECT_TRUE(removed.error().message.contains("no/object")) << removed.error().message;
  EXPECT_EQ(store().Open(first).error().code, ErrorCode::kBlobUnknown);
  EXPECT_EQ(store().Open(last).error().code, ErrorCode::kBlobUnknown);
}

TEST_P(BlobStoreContract, ABatchHasALimit) {
  const BlobLocation location = Put("kept");
  std::vector<std::string> objects(BlobStore::kMaxRemovals, location.object);
  objects.push_back(location.object);
  const Result<void> removed = Remove(objects);
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ReadAll(*Open(location)), "kept");
  objects.pop_back();
  ASSERT_TRUE(Remove(objects).has_value());
  EXPECT_EQ(store().Open(location).error().code, ErrorCode::kBlobUnknown);
}

TEST_P(BlobStoreContract, AQuarantinedBlobIsUnknown) {
  const BlobLocation location = Put("bad");
  ASSERT_TRUE(store().Quarantine(location.object).has_value());
  EXPECT_EQ(store().Open(location).error().code, ErrorCode::kBlobUnknown);
  EXPECT_TRUE(store().Quarantine(location.object).has_value());
}

TEST_P(BlobStoreContract, InvalidObjectNamesAreRejected) {
  for (const char* object : {"", "sha256", "../../etc/passwd", "sha256/../../../x", "sha256/ab",
                             "sha256/ab/c/d", "/etc/passwd", "md5/ab/abc.1"}) {
    SCOPED_TRACE(object);
    EXPECT_EQ(store().Open({object, 0, {}}).error().code, ErrorCode::kCorrupt);
    EXPECT_FALSE(Remove({object}).has_value());
    EXPECT_FALSE(store().Quarantine(object).has_value());
    EXPECT_FALSE(store().Sync(object).has_value());
  }
}

TEST_P(BlobStoreContract, NothingOfAnUncommittedBlobStays) {
  std::string object;
  {
    auto writer = Start();
    Append(*writer, "abc");
    object = writer->object();
  }
  EXPECT_EQ(store().Open({object, 3, {Crc32c(AsBytes("abc"))}}).error().code,
            ErrorCode::kBlobUnknown);
  const BlobLocation kept = Put("kept");
  ASSERT_TRUE(store().DiscardUncommitted({}).has_value());
  EXPECT_EQ(ReadAll(*Open(kept)), "kept");
}

TEST_P(BlobStoreContract, LaterSyncMakesTheSameBlob) {
  const BlobLocation location = Put("later", BlobWriter::SyncWhen::kLater);
  EXPECT_EQ(ReadAll(*Open(location)), "later");
  ASSERT_TRUE(store().Sync(location.object).has_value());
  EXPECT_EQ(ReadAll(*Open(location)), "later");
}

TEST_P(BlobStoreContract, WriterShowsWholeBlocksWhileItWrites) {
  const std::string content = BlobContent(2 * kBlock + 50);
  auto writer = Start();
  ASSERT_TRUE(writer->Expect(content.size()).has_value());
  EXPECT_EQ(ReadAll(*writer), "");
  Append(*writer, std::string_view(content).substr(0, kBlock - 1));
  EXPECT_EQ(ReadAll(*writer), "");
  Append(*writer, std::string_view(content).substr(kBlock - 1, kBlock));
  EXPECT_TRUE(ReadAll(*writer) == content.substr(0, kBlock));
  Append(*writer, std::string_view(content).substr(2 * kBlock - 1));
  EXPECT_TRUE(ReadAll(*writer, 8) ==
              content);  // with the short last block: all expected bytes are there
  const auto location = writer->Commit(DigestOf(content));
  ASSERT_TRUE(location.has_value());
  EXPECT_TRUE(ReadAll(*writer) == content);
}

TEST_P(BlobStoreContract, WriterOfUnknownSizeShowsItsEndOnceCommitted) {
  const std::string content = BlobContent(kBlock + 50);
  auto writer = Start();
  Append(*writer, content);
  EXPECT_TRUE(ReadAll(*writer) == content.substr(0, kBlock));
  ASSERT_TRUE(writer->Commit(DigestOf(content)).has_value());
  EXPECT_TRUE(ReadAll(*writer) == content);
}

TEST_P(BlobStoreContract, WriterCanBeReadBesideItsAppends) {
  const std::string content = BlobContent(16 * kBlock + 11);
  auto writer = Start();
  ASSERT_TRUE(writer->Expect(content.size()).has_value());
  std::string seen;
  std::jthread reader([&] {
    std::vector<std::byte> buffer(2 * kBlock);
    while (seen.size() < content.size()) {
      const auto cached = writer->ReadCached(seen.size(), buffer);
      const auto size =
          cached.has_value() && *cached > 0 ? cached : writer->Read(seen.size(), buffer);
      if (!size.has_value()) return;
      seen.append(AsText(Bytes(buffer).first(*size)));
      if (*size == 0) std::this_thread::yield();
    }
  });
  Append(*writer, content);
  reader.join();
  EXPECT_TRUE(seen == content);
}

TEST_P(BlobStoreContract, ExpectingMoreThanTheDiskHoldsFails) {
  auto writer = Start();
  const auto expected = writer->Expect(store().FreeBytes().value() + (uint64_t{1} << 40));
  ASSERT_FALSE(expected.has_value());
  EXPECT_EQ(expected.error().code, ErrorCode::kNoSpace);
}

TEST_P(BlobStoreContract, CommitsOfManyThreadsAllExist) {
  constexpr int kThreads = 8;
  std::vector<BlobLocation> locations(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] { locations[i] = Put(BlobContent(kBlock + i)); });
    }
  }
  for (int i = 0; i < kThreads; ++i) {
    EXPECT_TRUE(ReadAll(*Open(locations[i])) == BlobContent(kBlock + i));
  }
}

TEST_P(BlobStoreContract, ReturnsItsFreeSpace) { EXPECT_GT(store().FreeBytes().value(), 0u); }

}  // namespace outport
