#pragma once

#include <cstdint>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport::http {

// Decodes a chunked body (RFC 9112 §7.1) in place. Discards extensions and trailers, and limits
// their size. A value for one body.
class ChunkDecoder {
 public:
  static constexpr size_t kMaxExtensionBytes = 16 << 10;  // of all chunks of a body together
  static constexpr size_t kMaxTrailerBytes = 8 << 10;

  struct Step {
    size_t consumed = 0;  // of the given bytes; fewer only if the body ended before them
    size_t produced = 0;  // bytes of content, now at the front of the given bytes
  };

  // Decodes the next bytes of the body. kMalformedRequest unless the framing is exact.
  Result<Step> Decode(MutableBytes bytes);

  // The body is complete, including its trailers.
  bool finished() const { return state_ == State::kDone; }

 private:
  enum class State {
    kSizeStart,
    kSize,
    kExtension,
    kSizeLineFeed,
    kData,
    kDataReturn,
    kDataLineFeed,
    kTrailerStart,
    kTrailer,
    kTrailerLineFeed,
    kEndLineFeed,
    kDone,
  };
  Result<void> Consume(char c);  // a byte of the framing
  Result<void> ConsumeSize(char c);
  Result<void> ConsumeTrailer(char c);

  State state_ = State::kSizeStart;
  uint64_t size_ = 0;  // of the chunk; in kData, its bytes that are still to come
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace outport::http
