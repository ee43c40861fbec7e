#include "registry/oci/byte_range.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

constexpr uint64_t kTotal = 2048;

std::string Describe(const Result<std::optional<ByteRange>>& range) {
  if (!range.has_value()) {
    return range.error().code == ErrorCode::kRangeInvalid ? "unsatisfiable" : "another error";
  }
  if (!range->has_value()) return "whole";
  return std::to_string((*range)->offset) + "+" + std::to_string((*range)->size);
}

TEST(ParseRange, FollowsRfc9110) {
  const struct {
    const char* header;
    uint64_t total;
    const char* expected;
  } kCases[] = {
      {"bytes=500-1499", kTotal, "500+1000"},
      {"bytes=500-", kTotal, "500+1548"},
      {"bytes=-500", kTotal, "1548+500"},
      {"bytes=-5000", kTotal, "0+2048"},
      {"bytes=2000-5000", kTotal, "2000+48"},
      {"bytes=0-0", kTotal, "0+1"},
      {"bytes=2047-2047", kTotal, "2047+1"},
      {"Bytes = 1 - 2 ", kTotal, "1+2"},
      {"bytes=0-99999999999999999999999", kTotal, "0+2048"},
      {"bytes=-99999999999999999999999", kTotal, "0+2048"},
      {"bytes=500-0", kTotal, "unsatisfiable"},
      {"bytes=2048-", kTotal, "unsatisfiable"},
      {"bytes=99999999999999999999999-", kTotal, "unsatisfiable"},
      {"bytes=-0", kTotal, "unsatisfiable"},
      {"bytes=0-", 0, "unsatisfiable"},
      {"bytes=-1", 0, "unsatisfiable"},
      {"bytes=", kTotal, "unsatisfiable"},
      {"bytes=-", kTotal, "unsatisfiable"},
      {"bytes=a-b", kTotal, "unsatisfiable"},
      {"bytes=1-2-3", kTotal, "unsatisfiable"},
      {"bytes=+1-2", kTotal, "unsatisfiable"},
      {"bytes=0-1,4-5", kTotal, "whole"},
      {"lines=0-1", kTotal, "whole"},
      {"bytes", kTotal, "whole"},
      {"", kTotal, "whole"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.header);
    EXPECT_EQ(Describe(ParseRange(c.header, c.total)), c.expected);
  }
}

TEST(ParseChunkRange, ReadsFirstAndLast) {
  const struct {
    const char* header;
    uint64_t offset, size;
  } kGood[] = {
      {"0-0", 0, 1},
      {"0-1023", 0, 1024},
      {"1024-1024", 1024, 1},
      {"0-18446744073709551614", 0, 18446744073709551615u},
  };
  for (const auto& c : kGood) {
    SCOPED_TRACE(c.header);
    const auto range = ParseChunkRange(c.header);
    ASSERT_TRUE(range.has_value());
    EXPECT_EQ(*range, (ByteRange{.offset = c.offset, .size = c.size}));
  }
}

TEST(ParseChunkRange, RejectsAnythingElse) {
  for (const char* header : {"", "-", "1-", "-1", "2-1", "a-b", "bytes 0-1", "bytes=0-1", "0-1/2",
                             "0 - 1", "0-18446744073709551615", "99999999999999999999-1", "+0-1"}) {
    SCOPED_TRACE(header);
    const auto range = ParseChunkRange(header);
    ASSERT_FALSE(range.has_value());
    EXPECT_EQ(range.error().code, ErrorCode::kRangeInvalid);
  }
}

}  // namespace
}  // namespace outport
