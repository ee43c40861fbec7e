#include "registry/storage/rocks/ballast.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "registry/storage/must_pass.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

using Urgency = MetaTransaction::Urgency;

constexpr uint64_t kSize = 1 << 20;

// A disk of 16 MiB, whose free space the test chooses.
class BallastTest : public testing::Test {
 protected:
  std::function<Result<std::filesystem::space_info>()> Space() {
    return [this]() -> Result<std::filesystem::space_info> {
      return std::filesystem::space_info{
          .capacity = 16 * kSize, .free = free_bytes_, .available = free_bytes_};
    };
  }
  std::unique_ptr<Ballast> Open(uint64_t size_bytes = kSize) {
    return Ballast::Open({.file = file_, .size_bytes = size_bytes, .space = Space()},
                         Log::Nowhere());
  }
  // Returns the allocated bytes of the file.
  uint64_t Held() const {
    struct stat status{};
    if (::stat(file_.c_str(), &status) != 0) return 0;
    return static_cast<uint64_t>(status.st_blocks) * 512;
  }

  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "ballast";
  uint64_t free_bytes_ = 10 * kSize;
};

TEST_F(BallastTest, IsGivenUpOnAFullDiskAndRestoredWithSpace) {
  const auto ballast = Open();
  EXPECT_GE(Held(), kSize);
  free_bytes_ = kSize / 2;
  EXPECT_TRUE(ballast->Admit(Urgency::kNormal).has_value());
  EXPECT_GE(Held(), kSize);

  free_bytes_ = kSize / 2 - 1;
  const auto refused = ballast->Admit(Urgency::kNormal);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(Held(), 0u);
  EXPECT_TRUE(ballast->Admit(Urgency::kMustPass).has_value());

  free_bytes_ = 2 * kSize - 1;
  EXPECT_FALSE(ballast->Admit(Urgency::kNormal).has_value());
  free_bytes_ = 2 * kSize;
  EXPECT_TRUE(ballast->Admit(Urgency::kNormal).has_value());
  EXPECT_EQ(Held(), 0u);
  free_bytes_ = 4 * kSize;
  EXPECT_TRUE(ballast->Admit(Urgency::kNormal).has_value());
  EXPECT_GE(Held(), kSize);
}

TEST_F(BallastTest, IsAtMostASixteenthOfTheDisk) {
  const auto ballast = Open(64 * kSize);
  EXPECT_GE(Held(), kSize);
  EXPECT_LT(Held(), 2 * kSize);
}

TEST_F(BallastTest, AStartOnAFullDiskTakesOverTheFileAndAllocatesNone) {
  free_bytes_ = 3 * kSize;
  Open();
  EXPECT_EQ(Held(), 0u);
  free_bytes_ = 4 * kSize;
  Open();
  EXPECT_GE(Held(), kSize);
  free_bytes_ = kSize;
  const auto ballast = Open();
  EXPECT_GE(Held(), kSize);
  EXPECT_TRUE(ballast->Admit(Urgency::kNormal).has_value());
}

TEST_F(BallastTest, AFileWithoutBlocksIsNoBallast) {
  std::ofstream(file_).close();
  std::filesystem::resize_file(file_, kSize);
  ASSERT_LT(Held(), kSize);
  const auto ballast = Open();
  EXPECT_GE(Held(), kSize);
}

TEST_F(BallastTest, ADeletionPassesAndAFullDiskEndsNoWrites) {
  const auto opened = OpenRocksMetaStore(
      {.folder = folder_.path() / "meta", .ballast_bytes = kSize, .space = Space()},
      Log::Nowhere());
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  MetaStore& meta = **opened;
  const auto put = [](MetaStore& store, const std::string& key) {
    const auto transaction = store.Begin();
    EXPECT_TRUE(transaction->Put(key, "value").has_value());
    return transaction->Commit();
  };
  ASSERT_TRUE(put(meta, "before").has_value());
  free_bytes_ = 0;
  const auto refused = put(meta, "pushed");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(meta.WhyReadOnly(), std::nullopt);
  MustPassMetaStore must_pass(meta);
  EXPECT_TRUE(put(must_pass, "deleted").has_value());
  free_bytes_ = 10 * kSize;
  EXPECT_TRUE(put(meta, "after").has_value());
  EXPECT_EQ(*meta.Get("pushed"), std::nullopt);
  EXPECT_EQ(*meta.Get("deleted"), "value");
}

}  // namespace
}  // namespace outport
