#include "registry/oci/byte_range.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace outport {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

bool IsNumber(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Returns the number in `text`, or the largest uint64_t if the number is larger. REQUIRES:
// IsNumber(text).
uint64_t Saturated(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : kMax;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsBytesUnit(std::string_view text) {
  return std::ranges::equal(text, std::string_view("bytes"), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

Error Unsatisfiable(std::string_view header, uint64_t total) {
  return Error{ErrorCode::kRangeInvalid, "the range \"" + std::string(header.substr(0, 100)) +
                                             "\" is not within the " + std::to_string(total) +
                                             " bytes of the content"};
}

}  // namespace

Result<std::optional<ByteRange>> ParseRange(std::string_view header, uint64_t total) {
  const size_t equals = header.find('=');
  if (equals == std::string_view::npos || !IsBytesUnit(Trim(header.substr(0, equals)))) {
    return std::nullopt;
  }
  const std::string_view spec = Trim(header.substr(equals + 1));
  if (spec.contains(',')) return std::nullopt;
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return Unsatisfiable(header, total);
  const std::string_view first = Trim(spec.substr(0, dash));
  const std::string_view last = Trim(spec.substr(dash + 1));

  if (first.empty()) {  // a suffix range: the last N bytes
    if (!IsNumber(last)) return Unsatisfiable(header, total);
    const uint64_t size = std::min(Saturated(last), total);
    if (size == 0) return Unsatisfiable(header, total);
    return ByteRange{.offset = total - size, .size = size};
  }
  if (!IsNumber(first) || (!last.empty() && !IsNumber(last))) return Unsatisfiable(header, total);
  const uint64_t begin = Saturated(first);
  const uint64_t inclusive_end = last.empty() ? kMax : Saturated(last);
  if (begin >= total || inclusive_end < begin) return Unsatisfiable(header, total);
  return ByteRange{.offset = begin, .size = std::min(inclusive_end, total - 1) - begin + 1};
}

Result<ByteRange> ParseChunkRange(std::string_view header) {
  const size_t dash = header.find('-');
  if (dash != std::string_view::npos) {
    const std::string_view first = header.substr(0, dash);
    const std::string_view last = header.substr(dash + 1);
    if (IsNumber(first) && IsNumber(last)) {
      const uint64_t begin = Saturated(first);
      const uint64_t end = Saturated(last);
      if (begin <= end && end < kMax) return ByteRange{.offset = begin, .size = end - begin + 1};
    }
  }
  return Error{ErrorCode::kRangeInvalid,
               "the Content-Range \"" + std::string(header.substr(0, 100)) +
                   "\" is not valid; write FIRST-LAST, the positions of the chunk's first and "
                   "last byte"};
}

}  // namespace outport
