#pragma once

#include <cstdint>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport::http {

// Takes the framing of a chunked body (RFC 9112 §7.1) out of its bytes, in place: no second buffer
// of the body's size. Extensions and trailers are dropped, within limits. A value for one body.
class ChunkDecoder {
 public:
  static constexpr size_t kMaxExtensionBytes = 16 << 10;  // of all chunks of a body together
  static constexpr size_t kMaxTrailerBytes = 8 << 10;

  struct Step {
    size_t consumed = 0;  // less than given only when the body ended: the rest is not of it
    size_t produced = 0;  // bytes of content, now at the front
  };

  // Decodes the next bytes of the body. kMalformedRequest for anything but exact framing.
  Result<Step> Decode(MutableBytes bytes);

  // The last chunk and its trailers were seen.
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
  Result<void> Take(char c);  // one byte of framing
  Result<void> TakeSize(char c);
  Result<void> TakeTrailer(char c);

  State state_ = State::kSizeStart;
  uint64_t size_ = 0;  // of the chunk; in kData: what is left of it
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace outport::http
