#include "registry/base/base64.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

struct Case {
  std::string bytes;
  const char* standard;
  const char* url;
};

TEST(Base64, FollowsRfc4648) {
  const Case kCases[] = {{"", "", ""},
                         {"f", "Zg==", "Zg"},
                         {"fo", "Zm8=", "Zm8"},
                         {"foo", "Zm9v", "Zm9v"},
                         {"foob", "Zm9vYg==", "Zm9vYg"},
                         {"\xff\xfe\xfd", "//79", "__79"}};
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.standard);
    EXPECT_EQ(EncodeBase64(c.bytes, Base64::kStandard), c.standard);
    EXPECT_EQ(EncodeBase64(c.bytes, Base64::kUrl), c.url);
    EXPECT_EQ(DecodeBase64(c.standard, Base64::kStandard), c.bytes);
    EXPECT_EQ(DecodeBase64(c.url, Base64::kUrl), c.bytes);
  }
}

TEST(Base64, RejectsOtherEncodings) {
  for (const char* text : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg==", "Zm9v ", "Zm-v", "Z"}) {
    EXPECT_EQ(DecodeBase64(text, Base64::kStandard), std::nullopt) << text;
  }
  for (const char* text : {"Zg==", "Zh", "Z", "Zm/v"}) {
    EXPECT_EQ(DecodeBase64(text, Base64::kUrl), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace outport
