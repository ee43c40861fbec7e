#include "registry/base/repeated_failure.h"

#include <gtest/gtest.h>

#include <functional>

namespace outport {
namespace {

class RepeatedFailureTest : public testing::Test {
 protected:
  // The lines that `run` logs, without timestamps.
  std::string Logged(const std::function<void(RepeatedFailure&)>& run) {
    testing::internal::CaptureStderr();
    {
      RepeatedFailure failure({.log = Log::ToStandardError(LogLevel::kInfo),
                               .failed = "write failed",
                               .recovered = "write recovered",
                               .level = LogLevel::kWarning,
                               .failures = &failures_,
                               .failing = &failing_});
      run(failure);
    }
    std::string lines;
    std::string all = testing::internal::GetCapturedStderr();
    for (size_t at = all.find("\"level\""); at != std::string::npos;
         at = all.find("\"level\"", at + 1)) {
      lines += all.substr(at, all.find('\n', at) - at + 1);
    }
    return lines;
  }
  static Result<void> Full() { return Error{ErrorCode::kNoSpace, "disk full"}; }
  static Result<void> Gone() { return Error{ErrorCode::kNotFound, "no folder"}; }

  prometheus::Counter failures_;
  prometheus::Gauge failing_;
};

constexpr const char* kFull =
    "\"level\":\"warning\",\"event\":\"write failed\",\"error\":\"disk full\"}\n";
constexpr const char* kGone =
    "\"level\":\"warning\",\"event\":\"write failed\",\"error\":\"no folder\"}\n";
constexpr const char* kRecovered = "\"level\":\"info\",\"event\":\"write recovered\"}\n";

TEST_F(RepeatedFailureTest, LogsAReasonOnceAndCountsEachFailure) {
  EXPECT_EQ(Logged([](RepeatedFailure& failure) {
              EXPECT_TRUE(failure.Record(Full()));
              EXPECT_FALSE(failure.Record(Full()));
              EXPECT_FALSE(failure.Record(Full()));
            }),
            kFull);
  EXPECT_EQ(failures_.Value(), 3);
  EXPECT_EQ(failing_.Value(), 1);
}

TEST_F(RepeatedFailureTest, LogsEachChangeOfTheReason) {
  EXPECT_EQ(Logged([](RepeatedFailure& failure) {
              failure.Record(Full());
              EXPECT_TRUE(failure.Record(Gone()));
              EXPECT_TRUE(failure.Record(Full()));
              EXPECT_EQ(failure.Reason(), "disk full");
            }),
            std::string(kFull) + kGone + kFull);
}

TEST_F(RepeatedFailureTest, ASuccessClearsTheFailure) {
  EXPECT_EQ(Logged([](RepeatedFailure& failure) {
              failure.Record(Full());
              EXPECT_FALSE(failure.Record({}));
              EXPECT_EQ(failure.Reason(), std::nullopt);
              EXPECT_TRUE(failure.Record(Full()));
            }),
            std::string(kFull) + kRecovered + kFull);
  EXPECT_EQ(failures_.Value(), 2);
}

TEST_F(RepeatedFailureTest, LogsNoSuccessWithoutAFailureBefore) {
  EXPECT_EQ(Logged([](RepeatedFailure& failure) {
              failure.Record({});
              failure.Record({});
            }),
            "");
  EXPECT_EQ(failing_.Value(), 0);
}

TEST_F(RepeatedFailureTest, AddsTheFieldsToTheMessage) {
  EXPECT_EQ(Logged([](RepeatedFailure& failure) { failure.Record(Full(), {{"path", "/d"}}); }),
            "\"level\":\"warning\",\"event\":\"write failed\",\"error\":\"disk full\","
            "\"path\":\"/d\"}\n");
}

}  // namespace
}  // namespace outport
