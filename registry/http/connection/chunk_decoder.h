#pragma once

#include <cstdint>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport::http {

// Decodes a chunked body (RFC 9112 §7.1) in place. Discards chunk extensions and trailers, and
// limits their size. Each body needs a decoder of its own.
class ChunkDecoder {
 public:
  static constexpr size_t kMaxExtensionBytes = 16 << 10;  // limit for all chunks of a body together
  static constexpr size_t kMaxTrailerBytes = 8 << 10;

  struct Step {
    size_t consumed = 0;  // decoded input bytes; fewer than given only at the body's end
    size_t produced = 0;  // content bytes, which are now at the front of the input
  };

  // Decodes the next bytes of the body. Returns kMalformedRequest if the framing violates the RFC.
  Result<Step> Decode(MutableBytes bytes);

  // Whether the whole body was decoded, including its trailers.
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
  Result<void> Consume(char c);  // decodes one byte of the framing
  Result<void> ConsumeSize(char c);
  Result<void> ConsumeTrailer(char c);

  State state_ = State::kSizeStart;
  uint64_t size_ = 0;  // size of the chunk; in kData, the size of its rest
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace outport::http
