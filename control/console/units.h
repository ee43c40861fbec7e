#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "registry/base/result.h"

namespace outport::control {

// Formats a number of bytes for people, in the units of the configuration: "512 B", "1.2 GiB".
std::string SizeText(uint64_t bytes);

// Formats a time span for people by its two largest units: "45s", "3m 20s", "2d 4h". A negative
// span is "0s".
std::string SpanText(std::chrono::milliseconds span);

// Formats a number with its noun: "1 manifest", "2 manifests". `plural` is needed only for a noun
// whose plural does not end with 's'.
std::string CountText(uint64_t count, const std::string& noun, const std::string& plural = "");

// Shortens a digest for a table: "sha256:0123456789ab". The store's commands need the whole digest.
std::string ShortDigest(const std::string& digest);

// Parses the value of a time option. "2h" is two hours before now. Any other text is a day or a
// time in UTC. Returns milliseconds since 1970, or 0 for "". kInvalidArgument names the option.
Result<int64_t> ParseTime(const std::string& option, const std::string& text);
// Parses a duration as in the configuration: 500ms, 2s or 24h. The error names the option.
Result<std::chrono::milliseconds> ParseSpan(const std::string& option, const std::string& text);

}  // namespace outport::control
