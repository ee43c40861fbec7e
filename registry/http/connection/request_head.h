#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/base/secret.h"

namespace outport::http {

enum class Method { kGet, kHead, kPost, kPut, kPatch, kDelete, kOther };
std::string_view ToString(Method method);  // "GET"; "OTHER" for what the registry does not know

// What the registry reads of a request's header (RFC 9110, 9112). The strings are copies.
struct RequestHead {
  Method method = Method::kOther;
  std::string target;       // as sent: path and query, still percent-encoded
  bool keep_alive = false;  // the client would send another request on this connection
  bool http_1_0 = false;

  // Framing of the body: at most one of the two.
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;

  std::string host;  // as sent; empty where HTTP/1.0 sent none
  Secret authorization;
  std::string content_type;
  std::string content_range;
  std::string range;
  std::string if_range;
  std::string if_none_match;
  std::string min_sequence;  // Outport-Min-Sequence

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Where the header at the front of `input` ends (behind its empty line), or npos if it is not all
// there. `searched`: how much of `input` an earlier call looked at.
size_t FindHeadEnd(std::string_view input, size_t searched);

// Whether a line of `input` ends without CR: then no header is worth waiting for. The last byte may
// be the CR of a line feed that is not here yet.
bool HasBareLineFeed(std::string_view input);

// Reads one whole header, up to and with the empty line. kMalformedRequest, naming the reason, for
// everything that two servers in a row could frame differently: both length headers, several or
// malformed Content-Length, another transfer coding than chunked, folded lines, a bare line feed,
// space before a colon, no or several Host; and for fields sent twice that may stand once.
Result<RequestHead> ParseRequestHead(std::string_view head);

}  // namespace outport::http
