#include "registry/base/utf8.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

TEST(Utf8, FindsTheFirstInvalidByte) {
  struct Case {
    std::string_view text;
    std::optional<size_t> at;
  };
  const Case kCases[] = {
      {"", std::nullopt},      {"Zürich 港 🚢\n", std::nullopt}, {"a\xff", 1},
      {"ü\xe6\xb8", 2},         // a sequence that ends too early
      {"ab\xc0\xaf", 2},        // an overlong form
      {"\xed\xa0\x80", 0},      // a surrogate
      {"\xf4\x90\x80\x80", 0},  // beyond U+10FFFF
      {"ok\x80", 2},            // a continuation without a start
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(FindInvalidUtf8(c.text), c.at);
  }
}

}  // namespace
}  // namespace outport
