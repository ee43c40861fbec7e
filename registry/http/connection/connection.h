#pragma once

#include <optional>
#include <string>

#include "registry/http/connection/http_limits.h"
#include "registry/http/connection/request_head.h"
#include "registry/http/connection/stream.h"

namespace outport::http {

// The receiving side of an HTTP/1.1 connection. It reads the headers of requests, and RequestBody
// reads the bodies between them. If a read returns more bytes than the header or body has, the
// connection keeps the rest for the body or header that follows. For one strand.
class Connection {
 public:
  // `stream` and `limits` outlive the connection.
  Connection(Stream& stream, const HttpLimits& limits) : stream_(stream), limits_(limits) {}

  // Reads the next request's header. Returns nullopt if the client closed the connection or was
  // idle for too long. The limit is HttpLimits::header before the first request, and
  // HttpLimits::idle after it. Returns kMalformedRequest, kUriTooLong or kHeaderTooLarge for an
  // invalid header. Returns kRequestTimeout if the header is not complete in time.
  net::awaitable<Result<std::optional<RequestHead>>> ReadHead();

  // Reads bytes of a body. Returns buffered bytes first, then bytes from the stream. Returns 0 if
  // the client closed the connection.
  net::awaitable<Result<size_t>> ReadBody(MutableBytes buffer);
  // Reads buffered bytes without a wait. Returns 0 if no bytes are buffered.
  size_t ReadBuffered(MutableBytes buffer);
  // Takes back bytes that ReadBody() read beyond the body. They belong to the next request.
  void Unread(Bytes bytes) { input_.insert(begin_, AsText(bytes)); }

  Stream& stream() const { return stream_; }

 private:
  Result<std::optional<RequestHead>> ParseHead(size_t end);
  Result<void> CheckUnfinished() const;
  std::string_view Pending() const { return std::string_view(input_).substr(begin_); }
  void Consume(size_t size);

  Stream& stream_;
  const HttpLimits& limits_;
  std::string input_;  // received bytes; at most a header and one read
  size_t begin_ = 0;   // offset in input_ of the first unconsumed byte
  bool first_ = true;  // no header was read yet
};

}  // namespace outport::http
