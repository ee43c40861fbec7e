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
std::string_view ToString(Method method);  // "GET"; "OTHER" for unknown methods

// The fields of a request's header that the registry reads (RFC 9110, 9112). The strings are
// copies.
struct RequestHead {
  Method method = Method::kOther;
  std::string target;       // as sent: path and query, still percent-encoded
  bool keep_alive = false;  // the client may send another request on this connection
  bool http_1_0 = false;

  // The framing of the body: at most one of the two is set.
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;

  std::string host;  // as sent; HTTP/1.0 may have none
  Secret authorization;
  std::string content_type;
  std::string content_range;
  std::string range;
  std::string if_range;
  std::string if_none_match;
  std::string min_sequence;  // Outport-Min-Sequence

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Returns the end of the header at the front of `input` (after its empty line), or npos if the
// header is incomplete. `searched`: bytes of `input` that earlier calls have searched.
size_t FindHeadEnd(std::string_view input, size_t searched);

// Whether a line of `input` ends without CR: the rest of such a header is not worth a wait. The
// last byte may be a CR whose line feed has not arrived yet.
bool HasBareLineFeed(std::string_view input);

// Parses one whole header, including its empty line. Rejects every header that a proxy and this
// server could frame differently: both length fields, several or malformed Content-Length, another
// transfer coding than chunked, folded lines, bare line feeds, space before a colon, no or several
// Host fields. Rejects duplicates of fields that may occur once. kMalformedRequest names the
// reason.
Result<RequestHead> ParseRequestHead(std::string_view head);

}  // namespace outport::http
