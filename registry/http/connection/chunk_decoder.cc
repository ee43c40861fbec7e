#include "registry/http/connection/chunk_decoder.h"

#include <algorithm>
#include <cstring>

namespace outport::http {
namespace {

Error Malformed(std::string_view reason) {
  return Error{ErrorCode::kMalformedRequest,
               "the chunked body is malformed: " + std::string(reason)};
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

}  // namespace

Result<ChunkDecoder::Step> ChunkDecoder::Decode(MutableBytes bytes) {
  Step step;
  while (step.consumed < bytes.size() && state_ != State::kDone) {
    if (state_ != State::kData) {
      TRY_VOID(Consume(static_cast<char>(bytes[step.consumed])));
      ++step.consumed;
      continue;
    }
    const size_t run = static_cast<size_t>(std::min<uint64_t>(size_, bytes.size() - step.consumed));
    if (step.produced != step.consumed) {
      std::memmove(bytes.data() + step.produced, bytes.data() + step.consumed, run);
    }
    step.consumed += run;
    step.produced += run;
    size_ -= run;
    if (size_ == 0) state_ = State::kDataReturn;
  }
  return step;
}

Result<void> ChunkDecoder::Consume(char c) {
  switch (state_) {
    case State::kSizeStart:
    case State::kSize:
    case State::kExtension:
      return ConsumeSize(c);
    case State::kSizeLineFeed:
      if (c != '\n') return Malformed("a chunk's size line ends without LF");
      state_ = size_ == 0 ? State::kTrailerStart : State::kData;
      return {};
    case State::kDataReturn:
      if (c != '\r') return Malformed("a chunk is longer than its size");
      state_ = State::kDataLineFeed;
      return {};
    case State::kDataLineFeed:
      if (c != '\n') return Malformed("a chunk's data end without CR and LF");
      state_ = State::kSizeStart;
      return {};
    case State::kTrailerStart:
    case State::kTrailer:
    case State::kTrailerLineFeed:
      return ConsumeTrailer(c);
    case State::kEndLineFeed:
      if (c != '\n') return Malformed("the body's last line ends without LF");
      state_ = State::kDone;
      return {};
    case State::kData:
    case State::kDone:
      break;
  }
  return Malformed("more bytes follow its last chunk");
}

Result<void> ChunkDecoder::ConsumeSize(char c) {
  const int digit = HexValue(c);
  if (state_ == State::kSizeStart) {
    if (digit < 0) return Malformed("a chunk's size is missing");
    size_ = static_cast<uint64_t>(digit);
    state_ = State::kSize;
    return {};
  }
  if (c == '\r') {
    state_ = State::kSizeLineFeed;
    return {};
  }
  if (state_ == State::kSize && digit >= 0) {
    if (size_ >> 58 != 0) return Malformed("a chunk's size is out of range");
    size_ = size_ << 4 | static_cast<uint64_t>(digit);
    return {};
  }
  if (state_ == State::kSize && c != ';' && c != ' ' && c != '\t') {
    return Malformed("a chunk's size is not a hexadecimal number");
  }
  if (IsControl(c)) return Malformed("a chunk's extension contains a control character");
  state_ = State::kExtension;
  if (++extension_bytes_ > kMaxExtensionBytes) return Malformed("its extensions are too long");
  return {};
}

Result<void> ChunkDecoder::ConsumeTrailer(char c) {
  if (++trailer_bytes_ > kMaxTrailerBytes) return Malformed("its trailers are too long");
  if (state_ == State::kTrailerLineFeed) {
    if (c != '\n') return Malformed("a trailer ends without LF");
    state_ = State::kTrailerStart;
    return {};
  }
  if (c == '\r') {
    state_ = state_ == State::kTrailerStart ? State::kEndLineFeed : State::kTrailerLineFeed;
    return {};
  }
  if (IsControl(c)) return Malformed("a trailer contains a control character");
  if (state_ == State::kTrailerStart && (c == ' ' || c == '\t' || c == ':')) {
    return Malformed("a trailer has no name");
  }
  state_ = State::kTrailer;
  return {};
}

}  // namespace outport::http
