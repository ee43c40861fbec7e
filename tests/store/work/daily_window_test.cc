#include "store/work/daily_window.h"

#include <gtest/gtest.h>

#include <ctime>

#include "tests/support/test_name.h"

namespace outport::store {
namespace {

constexpr int kHour = 60;

struct Hours {
  const char* what;
  const char* window;
  int open;    // a minute of the day in the window
  int closed;  // a minute of the day outside; -1: none
};
constexpr Hours kHours[] = {
    {"a window opens with its first minute", "01:00-05:00", 1 * kHour, 1 * kHour - 1},
    {"a window closes before its last minute", "01:00-05:00", 5 * kHour - 1, 5 * kHour},
    {"a window may pass midnight", "22:00-04:00", 0, 12 * kHour},
    {"a window past midnight opens in the evening", "22:00-04:00", 22 * kHour, 22 * kHour - 1},
    {"a window past midnight closes in the morning", "22:00-04:00", 4 * kHour - 1, 4 * kHour},
    {"a window may end at midnight", "22:30-24:00", 24 * kHour - 1, 0},
    {"a window may end at midnight, written as 0", "22:30-00:00", 24 * kHour - 1, 0},
    {"a window of one minute", "12:34-12:35", 12 * kHour + 34, 12 * kHour + 35},
    {"the whole day", "00:00-24:00", 0, -1},
    {"no window is always open", "", 3 * kHour, -1},
};
class DailyWindowHours : public testing::TestWithParam<Hours> {};
TEST_P(DailyWindowHours, AreOpen) {
  const auto window = DailyWindow::Parse(GetParam().window);
  ASSERT_TRUE(window.has_value()) << window.error().message;
  EXPECT_TRUE(window->ContainsMinute(GetParam().open));
  for (int minute = 0; GetParam().closed < 0 && minute < 24 * kHour; ++minute) {
    EXPECT_TRUE(window->ContainsMinute(minute)) << minute;
  }
  if (GetParam().closed >= 0) EXPECT_FALSE(window->ContainsMinute(GetParam().closed));
  EXPECT_EQ(*DailyWindow::Parse(window->ToString()), *window);
}
INSTANTIATE_TEST_SUITE_P(Windows, DailyWindowHours, testing::ValuesIn(kHours), kNameOfRow);

TEST(DailyWindow, ShowsTheTextThatWasParsed) {
  EXPECT_EQ(DailyWindow::Parse("01:05-23:59")->ToString(), "01:05-23:59");
  EXPECT_EQ(DailyWindow().ToString(), "");
}

TEST(DailyWindow, RefusesAnythingElse) {
  for (const char* text :
       {"1:00-5:00", "01:00", "01:00-", "-05:00", "01:60-02:00", "25:00-26:00", "24:00-05:00",
        "24:01-02:00", "01:00-24:01", "01.00-05.00", "01:00 - 05:00", "0a:00-05:00", "01:00-05:00h",
        "01:00-01:00", "always"}) {
    const auto window = DailyWindow::Parse(text);
    ASSERT_FALSE(window.has_value()) << text;
    EXPECT_EQ(window.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(window.error().message.find(text), std::string::npos) << window.error().message;
  }
}

// The expectation comes from the other direction of the conversion: mktime() reads local time.
TEST(DailyWindow, IsInLocalTime) {
  std::tm noon{};
  noon.tm_year = 126;
  noon.tm_mon = 5;
  noon.tm_mday = 15;
  noon.tm_hour = 12;
  noon.tm_isdst = -1;
  const auto at_noon = std::chrono::system_clock::from_time_t(std::mktime(&noon));
  EXPECT_TRUE(DailyWindow::Parse("11:59-12:01")->Contains(at_noon));
  EXPECT_FALSE(DailyWindow::Parse("12:01-11:59")->Contains(at_noon));
  EXPECT_TRUE(DailyWindow().Contains(at_noon));
}

}  // namespace
}  // namespace outport::store
