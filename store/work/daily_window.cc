#include "store/work/daily_window.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <optional>

namespace outport::store {
namespace {

constexpr int kMinutesOfHour = 60;
constexpr int kMinutesOfDay = 24 * kMinutesOfHour;

std::optional<int> ParseTwoDigits(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 2 || !is_digit(text[0]) || !is_digit(text[1])) return std::nullopt;
  return (text[0] - '0') * 10 + (text[1] - '0');
}

// Parses "HH:MM" from 00:00 to 24:00.
std::optional<int> ParseMinute(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const std::optional<int> hours = ParseTwoDigits(text.substr(0, 2));
  const std::optional<int> minutes = ParseTwoDigits(text.substr(3));
  if (!hours.has_value() || !minutes.has_value() || *minutes >= kMinutesOfHour) return std::nullopt;
  const int minute = *hours * kMinutesOfHour + *minutes;
  if (minute > kMinutesOfDay) return std::nullopt;
  return minute;
}

std::string FormatMinute(int minute) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d", minute / kMinutesOfHour,
                minute % kMinutesOfHour);
  return text.data();
}

}  // namespace

Result<DailyWindow> DailyWindow::Parse(std::string_view text) {
  if (text.empty()) return DailyWindow();
  const size_t dash = text.find('-');
  const std::optional<int> from = ParseMinute(text.substr(0, dash));
  const std::optional<int> until =
      dash == std::string_view::npos ? std::nullopt : ParseMinute(text.substr(dash + 1));
  if (!from.has_value() || !until.has_value() || *from == kMinutesOfDay) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + std::string(text) +
                     "' is not a window; write for example \"01:00-05:00\" or \"22:00-04:00\", "
                     "or \"\" for a window that is always open"};
  }
  if (*from == *until) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + std::string(text) +
                     "' starts and ends at the same minute; write \"\" for a window that is always "
                     "open"};
  }
  return DailyWindow(*from, *until);
}

bool DailyWindow::Contains(std::chrono::system_clock::time_point wall) const {
  const std::time_t time = std::chrono::system_clock::to_time_t(wall);
  std::tm local{};
  ::localtime_r(&time, &local);
  return ContainsMinute(local.tm_hour * kMinutesOfHour + local.tm_min);
}

bool DailyWindow::ContainsMinute(int minute) const {
  if (from_ == until_) return true;
  if (from_ < until_) return from_ <= minute && minute < until_;
  return minute >= from_ || minute < until_;
}

std::string DailyWindow::ToString() const {
  if (from_ == until_) return "";
  return FormatMinute(from_) + "-" + FormatMinute(until_);
}

}  // namespace outport::store
