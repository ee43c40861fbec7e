#include "store/retention/version.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace outport::store {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNumber(std::string_view text) { return !text.empty() && std::ranges::all_of(text, IsDigit); }
bool HasLeadingZero(std::string_view text) { return text.size() > 1 && text.front() == '0'; }

std::optional<uint64_t> ParseNumber(std::string_view text) {
  if (!IsNumber(text) || HasLeadingZero(text)) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

// Returns the parts between the dots.
std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t dot = text.find('.');
    parts.emplace_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

bool IsIdentifier(const std::string& text) {
  const auto is_valid = [](char c) {
    return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  };
  return !text.empty() && std::ranges::all_of(text, is_valid);
}

// Numbers are lower than words, and are compared as numbers: without leading zeros, the longer one
// is greater.
std::weak_ordering Compare(const std::string& one, const std::string& other) {
  const bool number = IsNumber(one);
  if (number != IsNumber(other)) {
    return number ? std::weak_ordering::less : std::weak_ordering::greater;
  }
  if (number && one.size() != other.size()) return one.size() <=> other.size();
  return one.compare(other) <=> 0;
}

}  // namespace

std::optional<Version> Version::Parse(std::string_view tag) {
  if (tag.starts_with('v')) tag.remove_prefix(1);
  if (const size_t build = tag.find('_'); build != std::string_view::npos) {
    if (!std::ranges::all_of(Split(tag.substr(build + 1)), IsIdentifier)) return std::nullopt;
    tag = tag.substr(0, build);
  }
  Version version;
  if (const size_t dash = tag.find('-'); dash != std::string_view::npos) {
    version.prerelease = Split(tag.substr(dash + 1));
    for (const std::string& part : version.prerelease) {
      if (!IsIdentifier(part) || (IsNumber(part) && HasLeadingZero(part))) return std::nullopt;
    }
    tag = tag.substr(0, dash);
  }
  const std::vector<std::string> numbers = Split(tag);
  if (numbers.size() != 3) return std::nullopt;
  const auto major = ParseNumber(numbers[0]);
  const auto minor = ParseNumber(numbers[1]);
  const auto patch = ParseNumber(numbers[2]);
  if (!major.has_value() || !minor.has_value() || !patch.has_value()) return std::nullopt;
  version.major = *major;
  version.minor = *minor;
  version.patch = *patch;
  return version;
}

std::weak_ordering Version::operator<=>(const Version& other) const {
  if (const auto order = major <=> other.major; order != 0) return order;
  if (const auto order = minor <=> other.minor; order != 0) return order;
  if (const auto order = patch <=> other.patch; order != 0) return order;
  if (prerelease.empty() != other.prerelease.empty()) {
    return prerelease.empty() ? std::weak_ordering::greater : std::weak_ordering::less;
  }
  const size_t common = std::min(prerelease.size(), other.prerelease.size());
  for (size_t i = 0; i < common; ++i) {
    if (const auto order = Compare(prerelease[i], other.prerelease[i]); order != 0) return order;
  }
  return prerelease.size() <=> other.prerelease.size();
}

}  // namespace outport::store
