#pragma once

#include <optional>
#include <string>

#include "registry/http/connection/http_limits.h"
#include "registry/http/connection/request_head.h"
#include "registry/http/connection/stream.h"

namespace outport::http {

// The receiving side of an HTTP/1.1 connection. It reads one header after the other; RequestBody
// reads the bodies between them. Bytes beyond a header are kept for its body, and bytes beyond a
// body for the next header. For one strand.
class Connection {
 public:
  // Both outlive the connection.
  Connection(Stream& stream, const HttpLimits& limits) : stream_(stream), limits_(limits) {}

  // Reads the next request's header. Returns nullopt if the client closed the connection or was
  // idle for too long: HttpLimits::header before the first request, then HttpLimits::idle.
  // kMalformedRequest, kUriTooLong, kHeaderTooLarge; kRequestTimeout for an unfinished header.
  net::awaitable<Result<std::optional<RequestHead>>> ReadHead();

  // Reads bytes of a body: buffered ones first, then from the stream; 0 when the client closed.
  net::awaitable<Result<size_t>> ReadBody(MutableBytes buffer);
  // Reads only buffered bytes, and does not wait; 0 if there are none.
  size_t ReadBuffered(MutableBytes buffer);
  // Returns bytes that ReadBody() read beyond the body: they belong to the next request.
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
