#pragma once

#include <string>
#include <string_view>

#include "registry/http/connection/request_body.h"
#include "registry/http/connection/request_head.h"
#include "registry/http/connection/stream.h"
#include "registry/service/registry.h"

namespace outport::http {

std::string_view ReasonPhrase(int status);

// Returns the JSON body of an error (OCI distribution-spec, "Error Codes"). The body has one entry
// for each item of the error, or one entry without detail if the error has no items. The first
// entry has the message. For an internal error (kInternal, kCorrupt), only the log shows the cause.
// The client gets the request's id instead.
std::string FormatError(const Error& error, std::string_view request_id);

// The response to one request. Set the fields, then call exactly one Send method, once.
// Content-Length is exact. A response to HEAD is the response to GET without its body. For one
// strand.
class Response {
 public:
  // `stream`, `head` and `body` outlive the response.
  Response(Stream& stream, const RequestHead& head, RequestBody& body)
      : stream_(stream), head_(head), body_(body) {}

  // Adds a field. Control characters in `value` become spaces.
  void Set(std::string_view name, std::string_view value);
  // Makes this the last response of the connection.
  void CloseAfter() { close_ = true; }

  // Sends a response without a body: 201, 202, 204 or 304.
  net::awaitable<Result<void>> SendEmpty(int status);
  net::awaitable<Result<void>> SendText(int status, std::string_view content_type,
                                        std::string_view text);
  // Sends only the header of a response whose body would have `size` bytes. REQUIRES: the request
  // is HEAD.
  net::awaitable<Result<void>> SendHeadOnly(std::string_view content_type, uint64_t size);
  // Sends 200 with the whole blob, or 206 with the bytes of `range`. Reads and sends the blob piece
  // by piece.
  net::awaitable<Result<void>> SendBlob(BlobBody& blob, std::optional<ByteRange> range);
  // Sends the status and body of an error, with Retry-After if the error has one.
  net::awaitable<Result<void>> SendError(const Error& error, std::string_view request_id);

  bool is_head() const { return head_.method == Method::kHead; }
  // Whether the status line may have been sent. If so, another response is no longer possible.
  bool begun() const { return status_ != 0; }
  int status() const { return status_; }
  // Whether the connection ends with this response. The value is final once the response has begun.
  bool closes() const { return close_; }
  uint64_t body_bytes() const { return body_bytes_; }

 private:
  void Begin(int status, std::string_view content_type, std::optional<uint64_t> size);

  Stream& stream_;
  const RequestHead& head_;
  RequestBody& body_;
  std::string fields_;  // "Name: value\r\n"…
  bool close_ = false;
  int status_ = 0;
  uint64_t body_bytes_ = 0;
};

}  // namespace outport::http
