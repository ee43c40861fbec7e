#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/contract/blob_store_contract.h"

// The contract of every BlobStore for uploads that outlive the process. Instantiated together with
// BlobStoreContract.
namespace outport {

class BlobStoreUploadContract : public BlobStoreContract {
 protected:
  // Resumes an upload, as another process does.
  std::unique_ptr<BlobWriter> Resume(const std::string& name, uint64_t size_bytes,
                                     DigestAlgorithm algorithm = DigestAlgorithm::kSha256,
                                     uint64_t step = UINT64_MAX) {
    auto writer = store().Resume(algorithm, name, size_bytes);
    EXPECT_TRUE(writer.has_value()) << writer.error().message;
    if (!writer.has_value()) return nullptr;
    for (uint64_t left = size_bytes; left > 0;) {
      const auto reread = (*writer)->Reread(step);
      EXPECT_TRUE(reread.has_value()) << reread.error().message;
      if (!reread.has_value()) return nullptr;
      EXPECT_EQ(*reread, left - std::min(left, step));
      left = *reread;
    }
    return *std::move(writer);
  }
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BlobStoreUploadContract);

TEST_P(BlobStoreUploadContract, AnotherProcessResumesAnUpload) {
  const std::string content = BlobContent(3 * kBlock + 77);
  const BlobLocation whole = Put(content);
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    for (const size_t first : {size_t{0}, size_t{1}, kBlock - 1, 2 * kBlock, 2 * kBlock + 9}) {
      for (const bool checkpoint : {true, false}) {
        SCOPED_TRACE(first);
        const std::string name = RandomHex(8);
        {
          auto writer = store().Create(algorithm, name);
          ASSERT_TRUE(writer.has_value()) << writer.error().message;
          Append(**writer, std::string_view(content).substr(0, first));
          if (checkpoint) ASSERT_TRUE((*writer)->Checkpoint().has_value());
        }
        home_->Reopen();
        ASSERT_TRUE(store().DiscardUncommitted({name}).has_value());
        EXPECT_EQ(*store().UncommittedBytes(name), first);
        const auto writer = Resume(name, first, algorithm, 100'000);
        ASSERT_NE(writer, nullptr);
        EXPECT_EQ(writer->size_bytes(), first);
        Append(*writer, std::string_view(content).substr(first));
        const auto location = writer->Commit(DigestOf(content, algorithm));
        ASSERT_TRUE(location.has_value()) << location.error().message;
        EXPECT_EQ(location->checksums, whole.checksums);
        EXPECT_TRUE(ReadAll(*Open(*location)) == content);
        EXPECT_EQ(store().UncommittedBytes(name).error().code, ErrorCode::kNotFound);
      }
    }
  }
}

TEST_P(BlobStoreUploadContract, ResumingWithLessDropsTheRest) {
  {
    auto writer = store().Create(DigestAlgorithm::kSha256, "u1");
    Append(**writer, "hello world");
  }
  auto writer = Resume("u1", 5);
  ASSERT_NE(writer, nullptr);
  EXPECT_EQ(*store().UncommittedBytes("u1"), 5u);
  Append(*writer, "!");
  EXPECT_TRUE(writer->Commit(DigestOf("hello!")).has_value());
}

TEST_P(BlobStoreUploadContract, AnUnknownUploadIsNotResumed) {
  EXPECT_EQ(store().Resume(DigestAlgorithm::kSha256, "u1", 0).error().code, ErrorCode::kNotFound);
  {
    auto writer = store().Create(DigestAlgorithm::kSha256, "u1");
    Append(**writer, "hello");
    EXPECT_FALSE(store().Create(DigestAlgorithm::kSha256, "u1").has_value());
  }
  EXPECT_EQ(store().Resume(DigestAlgorithm::kSha256, "u1", 6).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(store().Discard("u1").has_value());
  ASSERT_TRUE(store().Discard("u1").has_value());
  EXPECT_EQ(store().Resume(DigestAlgorithm::kSha256, "u1", 0).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store().UncommittedBytes("u1").error().code, ErrorCode::kNotFound);
}

TEST_P(BlobStoreUploadContract, OnlyKeptUploadsRemain) {
  for (const char* name : {"u1", "u2", "u3"}) {
    ASSERT_TRUE(store().Create(DigestAlgorithm::kSha256, name).has_value());
  }
  home_->Reopen();
  ASSERT_TRUE(store().DiscardUncommitted({"u2", "u4"}).has_value());
  EXPECT_FALSE(store().UncommittedBytes("u1").has_value());
  EXPECT_TRUE(store().UncommittedBytes("u2").has_value());
  EXPECT_FALSE(store().UncommittedBytes("u3").has_value());
}

TEST_P(BlobStoreUploadContract, InvalidUploadNamesAreRejected) {
  for (const std::string& name : {std::string(), std::string("../x"), std::string("a/b"),
                                  std::string("a.part"), std::string(65, 'a')}) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(store().Create(DigestAlgorithm::kSha256, name).has_value());
    EXPECT_FALSE(store().Resume(DigestAlgorithm::kSha256, name, 0).has_value());
    EXPECT_FALSE(store().Discard(name).has_value());
  }
}

}  // namespace outport
