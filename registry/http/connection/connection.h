#pragma once

#include <optional>
#include <string>

#include "registry/http/connection/http_limits.h"
#include "registry/http/connection/request_head.h"
#include "registry/http/connection/stream.h"

namespace outport::http {

// The receiving side of an HTTP/1.1 connection: headers one after the other, and between them the
// bodies, which RequestBody reads. What a read brought beyond a header is kept for the body, what
// it brought beyond a body for the next header. For one strand.
class Connection {
 public:
  // Both outlive it.
  Connection(Stream& stream, const HttpLimits& limits) : stream_(stream), limits_(limits) {}

  // The next request's header; nullopt when the client wants nothing more: it closed, or was idle
  // for too long (for the first one: as long as a header may take, since nobody is known yet).
  // kMalformedRequest,
  // kUriTooLong, kHeaderTooLarge; kRequestTimeout when it began a header and did not finish it.
  net::awaitable<Result<std::optional<RequestHead>>> ReadHead();

  // Bytes of a body: those that are here already, else from the stream; 0 when the client closed.
  net::awaitable<Result<size_t>> ReadBody(MutableBytes buffer);
  // The part of it that is here already, without a wait; 0 if nothing is.
  size_t TakePending(MutableBytes buffer);
  // Gives back the end of what ReadBody brought: it belongs to the next request.
  void Unread(Bytes bytes) { input_.insert(begin_, AsText(bytes)); }

  Stream& stream() const { return stream_; }

 private:
  Result<std::optional<RequestHead>> TakeHead(size_t end);
  Result<void> CheckUnfinished() const;
  std::string_view Pending() const { return std::string_view(input_).substr(begin_); }
  void Drop(size_t size);

  Stream& stream_;
  const HttpLimits& limits_;
  std::string input_;  // received; not yet used from begin_ on; at most a header and one read
  size_t begin_ = 0;
  bool first_ = true;  // no header was read yet
};

}  // namespace outport::http
