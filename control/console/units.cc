#include "control/console/units.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

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

Result<int64_t> ParseTime(const std::string& option, const std::string& text) {
  if (text.empty()) return 0;
  const auto ago = ParseDuration(text);
  if (ago.has_value()) return ToUnixMillis(std::chrono::system_clock::now() - *ago);
  for (const char* format : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"}) {
    std::tm time{};
    const char* end = ::strptime(text.c_str(), format, &time);
    if (end != nullptr && *end == '\0') return int64_t{1000} * ::timegm(&time);
  }
  return Error{
      ErrorCode::kInvalidArgument,
      option + " '" + text +
          "' is not a time; use a duration before now (90m, 24h, 7d), a day (2026-11-27) or "
          "a time in UTC (2026-11-27T15:00:00Z)"};
}

}  // namespace outport::control
