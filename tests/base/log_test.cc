#include "registry/base/log.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace outport {
namespace {

std::string Line(const std::function<void(const Log&)>& write) {
  testing::internal::CaptureStderr();
  write(Log::ToStandardError(LogLevel::kInfo));
  std::string line = testing::internal::GetCapturedStderr();
  const size_t event = line.find("\"event\"");
  return event == std::string::npos ? line : line.substr(event);
}

TEST(Log, ALineIsOneJsonObjectWithItsFields) {
  EXPECT_EQ(
      Line([](const Log& log) {
        log.Info("blob committed", {{"digest", "sha256:ab"}, {"size_bytes", 12}, {"new", true}});
      }),
      "\"event\":\"blob committed\",\"digest\":\"sha256:ab\",\"size_bytes\":12,\"new\":true}\n");
}

TEST(Log, WithAddsItsFieldsToEveryLine) {
  EXPECT_EQ(Line([](const Log& log) { log.With({{"request", "7"}}).Warning("slow"); }),
            "\"event\":\"slow\",\"request\":\"7\"}\n");
}

TEST(Log, LinesBelowTheLevelAreDropped) {
  EXPECT_EQ(Line([](const Log& log) { log.Debug("noise"); }), "");
}

TEST(Log, EscapesInputOfClients) {
  EXPECT_EQ(Line([](const Log& log) { log.Info("x", {{"agent", "a\"b\\c\nd\x01\xff"}}); }),
            "\"event\":\"x\",\"agent\":\"a\\\"b\\\\c\\nd\\u0001\\ufffd\"}\n");
}

TEST(Log, Utf8IsUnchanged) { EXPECT_EQ(JsonEscape("Zürich 港 🚢"), "Zürich 港 🚢"); }

TEST(Log, ReplacesInvalidUtf8) {
  for (const char* text : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
                           "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe6\xb8"}) {
    std::string expected;
    for (size_t i = 0; i < std::string_view(text).size(); ++i) expected += "\\ufffd";
    EXPECT_EQ(JsonEscape(text), expected);
  }
}

}  // namespace
}  // namespace outport
