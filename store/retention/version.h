#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outport::store {

// A tag as a semantic version (semver.org, 2.0.0), with or without a leading "v". A tag cannot
// contain '+', so build metadata begins with '_', as Helm writes it. A value type.
struct Version {
  uint64_t major = 0;
  uint64_t minor = 0;
  uint64_t patch = 0;
  std::vector<std::string> prerelease = {};  // the identifiers; empty: a release

  // Returns nullopt if the tag is no version with three numbers.
  static std::optional<Version> Parse(std::string_view tag);

  // By precedence: build metadata does not count.
  std::weak_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const { return std::is_eq(*this <=> other); }
};

}  // namespace outport::store
