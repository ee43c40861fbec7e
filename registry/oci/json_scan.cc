#include "registry/oci/json_scan.h"

#include <charconv>
#include <cstdint>

namespace outport {
namespace {

constexpr size_t kEscapeBytes = 6;  // \uXXXX

// Returns the offset after the string that begins at `at`, a quotation mark.
size_t AfterString(std::string_view json, size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return at + 1;
}

bool EndsScalar(char c) { return std::string_view(" \t\r\n,:\"{}[]").contains(c); }

// Returns the offset after the number, or the word, that begins at `at`.
size_t AfterScalar(std::string_view json, size_t at) {
  while (at < json.size() && !EndsScalar(json[at])) ++at;
  return at;
}

// Returns the code unit of the escape \uXXXX at `at`; nullopt if there is no such escape.
std::optional<uint16_t> CodeUnitAt(std::string_view json, size_t at) {
  if (at + kEscapeBytes > json.size() || json[at] != '\\' || json[at + 1] != 'u') {
    return std::nullopt;
  }
  const char* const begin = json.data() + at + 2;
  const char* const end = json.data() + at + kEscapeBytes;
  uint16_t unit = 0;
  const auto [read, error] = std::from_chars(begin, end, unit, 16);
  if (error != std::errc() || read != end) return std::nullopt;
  return unit;
}

bool IsLeading(uint16_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool IsTrailing(uint16_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

}  // namespace

std::optional<std::string> WhyTooComplex(std::string_view json, const JsonLimits& limits) {
  size_t depth = 0;
  size_t values = 0;  // the name of a member counts until its colon
  for (size_t at = 0; at < json.size();) {
    switch (json[at]) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
      case ',':
        ++at;
        continue;
      case ':':
        if (values > 0) --values;
        ++at;
        continue;
      case '}':
      case ']':
        if (depth > 0) --depth;
        ++at;
        continue;
      case '{':
      case '[':
        ++depth;
        ++at;
        break;
      case '"':
        at = AfterString(json, at);
        break;
      default:
        at = AfterScalar(json, at);
    }
    if (depth > limits.depth) {
      return "is nested deeper than " + std::to_string(limits.depth) + " levels";
    }
    if (++values > limits.values) {
      return "has more than " + std::to_string(limits.values) + " JSON values";
    }
  }
  return std::nullopt;
}

bool HasLoneSurrogate(std::string_view json) {
  for (size_t at = json.find('\\'); at < json.size(); at = json.find('\\', at)) {
    const auto unit = CodeUnitAt(json, at);
    if (!unit.has_value()) {
      at += 2;  // another escape
      continue;
    }
    at += kEscapeBytes;
    if (IsTrailing(*unit)) return true;
    if (!IsLeading(*unit)) continue;
    if (!IsTrailing(CodeUnitAt(json, at).value_or(0))) return true;
    at += kEscapeBytes;
  }
  return false;
}

}  // namespace outport
