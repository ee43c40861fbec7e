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
std::string_view ToString(Method method);  // for example "GET"; "OTHER" for unknown methods

// The fields of a request's header that the registry reads (RFC 9110, 9112). The strings are
// copies.
struct RequestHead {
  Method method = Method::kOther;
  std::string target;       // as sent: path and query, still percent-encoded
  bool keep_alive = false;  // the client may send another request on this connection
  bool http_1_0 = false;

  // The framing of the body. The header sets at most one of these two members.
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
  std::string min_sequence;  // the field Outport-Min-Sequence

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Returns the end of the header at the front of `input` (after its empty line), or npos if the
// header is incomplete. `searched` is the number of bytes of `input` that earlier calls have
// searched.
size_t FindHeadEnd(std::string_view input, size_t searched);

// Whether a line of `input` ends without CR. Such a header is invalid, so the caller need not wait
// for its rest. If `input` ends with a CR, this function does not judge that line, because its line
// feed may still arrive.
bool HasBareLineFeed(std::string_view input);

// Parses one whole header, including its empty line. Rejects every header that a proxy and this
// server could frame differently. It rejects both Content-Length and Transfer-Encoding, several or
// malformed Content-Length fields, transfer codings other than chunked, folded lines, bare line
// feeds, a space before a colon, and no or several Host fields. Also rejects duplicates of fields
// that may occur only once. kMalformedRequest names the reason.
Result<RequestHead> ParseRequestHead(std::string_view head);

}  // namespace outport::http
