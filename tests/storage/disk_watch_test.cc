#include "registry/storage/disk_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMebibyte = 1 << 20;

class DiskWatchTest : public testing::Test {
 protected:
  std::string WarningWith(uint64_t free_bytes) {
    free_bytes_ = free_bytes;
    watch_.Check();
    return watch_.Warning().value_or("");
  }
  bool HasMetric(const std::string& line) const {
    return metrics_.Render().find("\n" + line + "\n") != std::string::npos;
  }

  BlockingPool pool_{"disk", 1, 1};
  Metrics metrics_;
  Result<uint64_t> free_bytes_ = uint64_t{0};
  DiskWatch watch_{
      {.free_bytes = [this] { return free_bytes_; },
       .pool = pool_,
       .metrics = metrics_,
       .log = Log::Nowhere(),
       .disk = "the store's disk",
       .effect = "pushes are rejected",
       .limits = {.headroom_bytes = 100 * kMebibyte, .warn_below_bytes = 200 * kMebibyte}}};
};

TEST_F(DiskWatchTest, WarnsBeforeTheDiskIsFull) {
  EXPECT_EQ(WarningWith(200 * kMebibyte), "");
  EXPECT_TRUE(HasMetric("outport_disk_nearly_full 0"));
  EXPECT_EQ(WarningWith(200 * kMebibyte - 1),
            "the store's disk is nearly full: 199 MiB are free, less than disk.warn_below (200 "
            "MiB); below disk.headroom (100 MiB) pushes are rejected; free space, or enlarge the "
            "disk");
  EXPECT_TRUE(HasMetric("outport_disk_nearly_full 1"));
  EXPECT_TRUE(HasMetric("outport_disk_free_bytes 209715199"));
}

TEST_F(DiskWatchTest, WarnsWhileTheDiskIsFullAndUntilItHasSpace) {
  EXPECT_EQ(WarningWith(100 * kMebibyte - 1),
            "the store's disk is full: 99 MiB are free, less than disk.headroom (100 MiB): pushes "
            "are rejected; free space, or enlarge the disk");
  EXPECT_TRUE(HasMetric("outport_disk_nearly_full 1"));
  EXPECT_THAT(WarningWith(4096), HasSubstr("full: 4096 bytes are free"));
  EXPECT_THAT(WarningWith(150 * kMebibyte), HasSubstr("is nearly full: 150 MiB"));
  EXPECT_EQ(WarningWith(300 * kMebibyte), "");
  EXPECT_TRUE(HasMetric("outport_disk_nearly_full 0"));
}

TEST_F(DiskWatchTest, WarnsIfTheFreeSpaceIsUnknown) {
  free_bytes_ = Error{ErrorCode::kInternal, "statvfs failed: Input/output error"};
  watch_.Check();
  EXPECT_EQ(watch_.Warning(),
            "the free space of the store's disk is unknown: statvfs failed: Input/output error");
  EXPECT_EQ(WarningWith(300 * kMebibyte), "");
}

TEST(DiskLimits, TheLargestHeadroomDoesNotOverflow) {
  auto settings = Settings::Parse("disk: {headroom: 8388607TiB}\n", "store.yml");
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  const DiskLimits limits = ReadDiskLimits(settings->Section("disk"));
  EXPECT_GE(limits.warn_below_bytes, limits.headroom_bytes);
}

}  // namespace
}  // namespace outport
