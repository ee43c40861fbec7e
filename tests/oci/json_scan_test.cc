#include "registry/oci/json_scan.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

// Whether `json` has at most this many values and levels, and not fewer.
void ExpectExactly(const std::string& json, size_t values, size_t depth) {
  SCOPED_TRACE(json);
  EXPECT_EQ(WhyTooComplex(json, {.depth = depth, .values = values}), std::nullopt);
  EXPECT_TRUE(WhyTooComplex(json, {.depth = depth, .values = values - 1}).has_value());
  if (depth == 0) return;
  EXPECT_TRUE(WhyTooComplex(json, {.depth = depth - 1, .values = values}).has_value());
}

TEST(JsonScan, CountsValuesAndLevels) {
  ExpectExactly("7", 1, 0);
  ExpectExactly(R"("a\"[{,:")", 1, 0);
  ExpectExactly(R"("a\\")", 1, 0);
  ExpectExactly("[]", 1, 1);
  ExpectExactly(" [ 1 , -2.5e3 ,true,null , \"x\" ] ", 6, 1);
  ExpectExactly(R"({"a":1,"b":{"c":[2,3]},"d:":"e"})", 7, 3);
  ExpectExactly("[[],[[]],[]]", 5, 3);
}

TEST(JsonScan, NamesTheLimit) {
  const JsonLimits limits{.depth = 2, .values = 4};
  EXPECT_EQ(*WhyTooComplex("[[[1]]]", limits), "is nested deeper than 2 levels");
  EXPECT_EQ(*WhyTooComplex("[1,2,3,4]", limits), "has more than 4 JSON values");
}

TEST(JsonScan, TextThatIsNoJsonEnds) {
  const JsonLimits limits{.depth = 2, .values = 4};
  for (const char* text : {"", "\"", "\"\\", "::::", "]]]]", "\\", "\"abc", "{", "nul"}) {
    EXPECT_EQ(WhyTooComplex(text, limits), std::nullopt) << text;
  }
  EXPECT_TRUE(WhyTooComplex("[1,2,3,4,5" + std::string(100, ':'), limits).has_value())
      << "what follows does not lower the count";
}

TEST(JsonScan, FindsLoneSurrogates) {
  for (const char* text : {R"("\ud800")", R"("\uD800x")", R"("\uD800\u0041")", R"("\uDC00")",
                           R"("\uD83D\uD83D\uDE00")", R"("\\\ud800")"}) {
    EXPECT_TRUE(HasLoneSurrogate(text)) << text;
  }
  for (const char* text : {R"("\ud83d\ude00")", R"("\\ud800")", R"("\u00e4\n")", R"("\ud8")", "\\",
                           "", R"("plain")"}) {
    EXPECT_FALSE(HasLoneSurrogate(text)) << text;
  }
}

}  // namespace
}  // namespace outport
