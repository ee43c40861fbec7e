#pragma once

#include "registry/http/connection/chunk_decoder.h"
#include "registry/http/connection/connection.h"
#include "registry/service/registry.h"

namespace outport::http {

// The body of one request. If the client waits for "100 Continue", the first Read() sends it. A
// client whose request is rejected before that sends no body. For one strand. The request outlives
// its body.
class RequestBody final : public ByteSource {
 public:
  RequestBody(Connection& connection, const RequestHead& head);

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override;

  // Whether the whole body was read.
  bool finished() const { return !failed_ && (chunked_ ? chunks_.finished() : remaining_ == 0); }
  // Whether the unread rest of the body is known to be small. Reading the rest is then cheaper than
  // a new connection. If this is false, the connection ends with this request.
  bool may_be_drained() const;
  // Discards the buffered bytes of a chunked body. If the body ends within these bytes,
  // may_be_drained() returns true from then on.
  void DiscardBuffered();
  // Reads and discards the rest of the body. REQUIRES: may_be_drained().
  net::awaitable<Result<void>> Drain();

 private:
  net::awaitable<Result<size_t>> ReadChunked(MutableBytes buffer);
  // Decodes received bytes in place and returns the number of content bytes. Gives the bytes beyond
  // the body back to the connection.
  Result<size_t> Decode(MutableBytes received);
  Error Truncated();

  Connection& connection_;
  const bool chunked_;
  const std::optional<uint64_t> length_;
  uint64_t remaining_;   // unread bytes of a body that is not chunked
  ChunkDecoder chunks_;  // decodes a chunked body
  bool awaits_continue_;
  bool failed_ = false;
};

}  // namespace outport::http
