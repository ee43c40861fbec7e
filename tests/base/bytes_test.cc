#include "registry/base/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

// RFC 3720, B.4.
TEST(Crc32c, GivesTheValuesOfTheStandard) {
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\0'))), 0x8a9136aau);
  EXPECT_EQ(Crc32c(AsBytes(std::string(32, '\xff'))), 0x62a8ab43u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32c, ContinuesAChecksum) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = Crc32c(AsBytes(text).first(cut));
    EXPECT_EQ(Crc32c(AsBytes(text).subspan(cut), first), Crc32c(AsBytes(text))) << cut;
  }
}

TEST(Bytes, HexIsLowercaseAndComplete) {
  EXPECT_EQ(ToHex(AsBytes(std::string("\x00\xff\x1a", 3))), "00ff1a");
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

}  // namespace
}  // namespace outport
