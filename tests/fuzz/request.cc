#include <algorithm>
#include <string>

#include "registry/http/connection/chunk_decoder.h"
#include "registry/http/connection/request_head.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using namespace outport::http;
using fuzzing::Require;

namespace {

struct Decoded {
  bool ok = true;
  bool finished = false;
  std::string content;
  size_t consumed = 0;
};

// Decodes a chunked body in pieces of `step` bytes, each in its own allocation.
Decoded Decode(std::string_view body, size_t step) {
  Decoded decoded;
  ChunkDecoder decoder;
  while (decoded.consumed < body.size() && !decoder.finished()) {
    std::string piece(body.substr(decoded.consumed, step));
    const auto part = decoder.Decode(std::as_writable_bytes(std::span(piece)));
    if (!part.has_value()) {
      decoded.ok = false;
      return decoded;
    }
    Require(part->produced <= part->consumed && part->consumed <= piece.size(),
            "content is no longer than its framing");
    Require(part->consumed == piece.size() || decoder.finished(), "only a body's end stops short");
    decoded.content += piece.substr(0, part->produced);
    decoded.consumed += part->consumed;
  }
  decoded.finished = decoder.finished();
  return decoded;
}

void CheckBody(std::string_view body) {
  const Decoded whole = Decode(body, body.size());
  for (const size_t step : {size_t{1}, size_t{7}}) {
    const Decoded pieces = Decode(body, step);
    Require(pieces.ok == whole.ok, "pieces are rejected like the whole");
    if (!whole.ok) continue;
    Require(pieces.content == whole.content, "pieces have the content of the whole");
    Require(pieces.finished == whole.finished && pieces.consumed == whole.consumed,
            "pieces end where the whole ends");
  }
}

}  // namespace

// A request on the wire: its header, and the rest as a chunked body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzzing::AsText(data, size);
  const size_t end = FindHeadEnd(text, 0);
  for (size_t searched = 0; searched < std::min<size_t>(size, 64); ++searched) {
    if (end != std::string::npos && searched + 4 > end) break;
    Require(FindHeadEnd(text, searched) == end, "a header ends where it ends");
  }
  if (end == std::string::npos) {
    (void)HasBareLineFeed(text);
    CheckBody(text);
    return 0;
  }
  const auto head = ParseRequestHead(text.substr(0, end));
  if (head.has_value()) {
    Require(!HasBareLineFeed(text.substr(0, end)), "no line of a header ends without CR");
    Require(!(head->chunked && head->content_length.has_value()), "a body has one framing");
    Require(head->target.starts_with('/'), "a target is a path");
    Require(!head->expects_continue || head->has_body(), "nothing to continue without a body");
  } else {
    Require(head.error().code == ErrorCode::kMalformedRequest, "a bad header is malformed");
  }
  CheckBody(text.substr(end));
  return 0;
}
