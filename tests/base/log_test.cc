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

TEST(Log, WhatClientsSendCannotBreakALine) {
  EXPECT_EQ(Line([](const Log& log) { log.Info("x", {{"agent", "a\"b\\c\nd\x01\xff"}}); }),
            "\"event\":\"x\",\"agent\":\"a\\\"b\\\\c\\nd\\u0001\\ufffd\"}\n");
}

TEST(Log, Utf8StaysAsItIs) { EXPECT_EQ(JsonEscape("Zürich 港"), "Zürich 港"); }

}  // namespace
}  // namespace outport
