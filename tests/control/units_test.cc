#include "control/console/units.h"

#include <gtest/gtest.h>

#include "registry/base/clock.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;

TEST(Units, FormatSizes) {
  EXPECT_EQ(SizeText(0), "0 B");
  EXPECT_EQ(SizeText(1023), "1023 B");
  EXPECT_EQ(SizeText(1024), "1.0 KiB");
  EXPECT_EQ(SizeText((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(SizeText(1288490189), "1.2 GiB");
  EXPECT_EQ(SizeText(UINT64_MAX), "16.0 EiB");
}

TEST(Units, FormatSpansByTheirTwoLargestUnits) {
  EXPECT_EQ(SpanText(milliseconds(-5)), "0s");
  EXPECT_EQ(SpanText(milliseconds(999)), "0s");
  EXPECT_EQ(SpanText(std::chrono::seconds(59)), "59s");
  EXPECT_EQ(SpanText(std::chrono::seconds(200)), "3m 20s");
  EXPECT_EQ(SpanText(std::chrono::hours(36)), "1d 12h");
  EXPECT_EQ(SpanText(std::chrono::hours(24) + std::chrono::seconds(59)), "1d");
}

TEST(Units, FormatCounts) {
  EXPECT_EQ(CountText(0, "link"), "0 links");
  EXPECT_EQ(CountText(1, "link"), "1 link");
  EXPECT_EQ(CountText(2, "repository", "repositories"), "2 repositories");
}

TEST(Units, ShortenDigests) {
  EXPECT_EQ(ShortDigest("sha256:0123456789abcdef0123"), "sha256:0123456789ab");
  EXPECT_EQ(ShortDigest(""), "");
}

TEST(Units, ParseTimes) {
  EXPECT_EQ(*ParseTime("--at", ""), 0);
  EXPECT_EQ(*ParseTime("--at", "1970-01-02"), 86'400'000);
  EXPECT_EQ(*ParseTime("--at", "1970-01-01T00:00:05Z"), 5000);
  EXPECT_EQ(*ParseTime("--at", "1970-01-01T00:00:05.25Z"), 5250);
  EXPECT_EQ(*ParseTime("--at", "1970-01-01T00:00:05.123999Z"), 5123);
  EXPECT_EQ(*ParseTime("--at", "2024-02-29"), 1709164800000);
  EXPECT_EQ(*ParseTime("--at", FormatTime(FromUnixMillis(1790000000412))), 1790000000412);
  const int64_t now = ToUnixMillis(std::chrono::system_clock::now());
  EXPECT_LE(*ParseTime("--at", "1h"), now - 3'590'000);
  for (const char* text :
       {"yesterday", "2026-13-01", "2026-02-31", "2026-02-29T00:00:00Z", "2026-11-27T15:00:00",
        "2026-11-27T15:00:00.Z", "2026-11-27T24:00:00Z", "2026-11-27T15:00:00.5", "2026-11-27 x"}) {
    const auto time = ParseTime("--at", text);
    ASSERT_FALSE(time.has_value()) << text;
    EXPECT_TRUE(time.error().message.starts_with("--at '" + std::string(text) + "'"));
  }
}

}  // namespace
}  // namespace outport::control
