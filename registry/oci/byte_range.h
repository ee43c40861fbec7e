#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// `size` bytes from `offset` of a content.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  bool operator==(const ByteRange&) const = default;
};

// Parses a Range header for a content of `total` bytes (RFC 9110 §14). nullopt: send the whole
// content (no header, another unit, or several ranges). kRangeInvalid: the range cannot be
// satisfied (416).
Result<std::optional<ByteRange>> ParseRange(std::string_view header, uint64_t total);

// Parses the Content-Range of a blob chunk: "FIRST-LAST", inclusive, without a unit (OCI
// distribution-spec, "Pushing a blob in chunks"). kRangeInvalid if it has another form.
Result<ByteRange> ParseChunkRange(std::string_view header);

}  // namespace outport
