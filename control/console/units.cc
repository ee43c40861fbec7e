#include "control/console/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "registry/base/clock.h"
#include "registry/base/settings.h"

namespace outport::control {
namespace {

constexpr size_t kShortHexDigits = 12;

struct Span {
  int64_t seconds;
  const char* suffix;
};
constexpr std::array kSpans = {Span{86400, "d"}, Span{3600, "h"}, Span{60, "m"}, Span{1, "s"}};

// Returns the milliseconds of a fraction of a second that begins with '.', and moves `text` to its
// end. Returns 0 if there is none.
int64_t TakeFraction(const char*& text) {
  int64_t milliseconds = 0;
  if (*text != '.' || std::isdigit(static_cast<unsigned char>(text[1])) == 0) return milliseconds;
  ++text;
  for (int64_t weight = 100; std::isdigit(static_cast<unsigned char>(*text)) != 0; weight /= 10) {
    milliseconds += weight * (*text++ - '0');
  }
  return milliseconds;
}

// Returns the Unix time of a UTC time. nullopt if the calendar has no such day or second.
std::optional<int64_t> ToMillis(const std::tm& time) {
  std::tm normal = time;
  const int64_t seconds = ::timegm(&normal);
  const bool same = normal.tm_mon == time.tm_mon && normal.tm_mday == time.tm_mday &&
                    normal.tm_sec == time.tm_sec;
  return same ? std::optional(1000 * seconds) : std::nullopt;
}

// Parses a day, or a time as the program prints it: "2026-11-27T15:00:00.123Z", where the fraction
// may be absent.
std::optional<int64_t> ParseUtc(const std::string& text) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%d", &time);
  if (end == nullptr) return std::nullopt;
  if (*end == '\0') return ToMillis(time);
  end = ::strptime(end, "T%H:%M:%S", &time);
  if (end == nullptr) return std::nullopt;
  const int64_t fraction = TakeFraction(end);
  if (std::string_view(end) != "Z") return std::nullopt;
  const std::optional<int64_t> whole = ToMillis(time);
  return whole.has_value() ? std::optional(*whole + fraction) : std::nullopt;
}

}  // namespace

std::string SizeText(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  // 1023.95 would be shown as 1024.0.
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits.at(unit));
  return text.data();
}

std::string SpanText(std::chrono::milliseconds span) {
  int64_t left = std::max<int64_t>(0, span.count() / 1000);
  for (size_t i = 0; i + 1 < kSpans.size(); ++i) {
    if (left < kSpans.at(i).seconds) continue;
    const Span& large = kSpans.at(i);
    const Span& small = kSpans.at(i + 1);
    const int64_t rest = left % large.seconds / small.seconds;
    std::string text = std::to_string(left / large.seconds) + large.suffix;
    if (rest > 0) text += " " + std::to_string(rest) + small.suffix;
    return text;
  }
  return std::to_string(left) + "s";
}

std::string CountText(uint64_t count, const std::string& noun, const std::string& plural) {
  if (count == 1) return "1 " + noun;
  return std::to_string(count) + " " + (plural.empty() ? noun + "s" : plural);
}

std::string ShortDigest(const std::string& digest) {
  const size_t colon = digest.find(':');
  if (colon == std::string::npos) return digest;
  return digest.substr(0, colon + 1 + kShortHexDigits);
}

Result<std::chrono::milliseconds> ParseSpan(const std::string& option, const std::string& text) {
  auto span = ParseDuration(text);
  if (!span.has_value()) return std::move(span).error().Within(option);
  return *span;
}

Result<int64_t> ParseTime(const std::string& option, const std::string& text) {
  if (text.empty()) return 0;
  const auto ago = ParseDuration(text);
  if (ago.has_value()) return ToUnixMillis(std::chrono::system_clock::now() - *ago);
  if (const std::optional<int64_t> time = ParseUtc(text)) return *time;
  return Error{
      ErrorCode::kInvalidArgument,
      option + " '" + text +
          "' is not a time; use a duration before now (90m, 24h, 7d), a day (2026-11-27) or "
          "a time in UTC (2026-11-27T15:00:00Z)"};
}

}  // namespace outport::control
