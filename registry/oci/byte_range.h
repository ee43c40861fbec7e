#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// `size` bytes from `offset`: within a content, unless it says otherwise.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
  bool operator==(const ByteRange&) const = default;
};

// A Range header against a content of `total` bytes (RFC 9110 §14): nullopt means the whole (no
// header, another unit, several ranges); kRangeInvalid means that it cannot be satisfied (416).
Result<std::optional<ByteRange>> ParseRange(std::string_view header, uint64_t total);

// The Content-Range of a blob chunk, "a-b", inclusive, without a unit (OCI distribution-spec,
// "Pushing a blob in chunks"). kRangeInvalid otherwise.
Result<ByteRange> ParseChunkRange(std::string_view header);

}  // namespace outport
