#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// The `size` bytes of a content that begin at `offset`.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  bool operator==(const ByteRange&) const = default;
};

// Parses a Range header for a content of `total` bytes (RFC 9110 §14). Returns nullopt if the
// response must be the whole content: the header is empty, has another unit than bytes, or names
// several ranges. kRangeInvalid (416) if no byte of the content is in the range.
Result<std::optional<ByteRange>> ParseRange(std::string_view header, uint64_t total);

// Parses the Content-Range of a blob chunk: "FIRST-LAST", inclusive, without a unit (OCI
// distribution-spec, "Pushing a blob in chunks"). kRangeInvalid if the header has another form.
Result<ByteRange> ParseChunkRange(std::string_view header);

}  // namespace outport
