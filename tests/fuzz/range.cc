#include <algorithm>
#include <cstring>
#include <limits>

#include "registry/oci/byte_range.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using fuzzing::Require;

// The first eight bytes are the size of a content. The rest is a Range header, and the
// Content-Range of a chunk.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t total = 0;
  const size_t used = std::min(size, sizeof(total));
  if (used > 0) std::memcpy(&total, data, used);
  const std::string_view text = fuzzing::AsText(data + used, size - used);

  const auto range = ParseRange(text, total);
  if (range.has_value() && range->has_value()) {
    Require((*range)->size > 0, "a range has bytes");
    Require((*range)->offset < total && (*range)->size <= total - (*range)->offset,
            "a range is within the content");
  }
  const auto chunk = ParseChunkRange(text);
  if (chunk.has_value()) {
    Require(chunk->size > 0, "a chunk has bytes");
    Require(chunk->offset <= std::numeric_limits<uint64_t>::max() - chunk->size,
            "a chunk ends within 64 bits");
  }
  return 0;
}
