#pragma once

#include <string>
#include <string_view>

#include "registry/http/connection/request_body.h"
#include "registry/http/connection/request_head.h"
#include "registry/http/connection/stream.h"
#include "registry/service/registry.h"

namespace outport::http {

std::string_view ReasonPhrase(int status);

// The registry's error JSON (OCI distribution-spec, "Error Codes"): one entry for each item of the
// error, or one without detail. What went wrong inside (kInternal, kCorrupt) is for the log: the
// client reads the request's id instead.
std::string FormatError(const Error& error, std::string_view request_id);

// The answer to one request: fields are set, then one Send method sends it, framed by an exact
// Content-Length. HEAD is answered like GET, less the body. For one strand.
class Response {
 public:
  // All three outlive it.
  Response(Stream& stream, const RequestHead& head, RequestBody& body)
      : stream_(stream), head_(head), body_(body) {}

  // Adds a field. Control characters in `value` become spaces.
  void Set(std::string_view name, std::string_view value);
  // This is the connection's last answer.
  void CloseAfter() { close_ = true; }

  // Without a body: 201, 202, 204, 304.
  net::awaitable<Result<void>> SendEmpty(int status);
  net::awaitable<Result<void>> SendText(int status, std::string_view content_type,
                                        std::string_view text);
  // The header of a body that is not sent, for HEAD. REQUIRES: the request is HEAD.
  net::awaitable<Result<void>> SendHeadOnly(std::string_view content_type, uint64_t size);
  // 200 with the whole, or 206 with `range` of it, as it is read.
  net::awaitable<Result<void>> SendBlob(BlobBody& blob, std::optional<ByteRange> range);
  // What the error's traits say, with Retry-After where they ask for it.
  net::awaitable<Result<void>> SendError(const Error& error, std::string_view request_id);

  bool is_head() const { return head_.method == Method::kHead; }
  // The status line may have been sent: it is too late for another answer.
  bool begun() const { return status_ != 0; }
  int status() const { return status_; }
  // Whether the connection ends with this answer; decided when it began.
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
