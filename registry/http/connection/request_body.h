#pragma once

#include "registry/http/connection/chunk_decoder.h"
#include "registry/http/connection/connection.h"
#include "registry/service/registry.h"

namespace outport::http {

// The body of one request. The first Read() sends "100 Continue" to a client that waits for it: a
// client whose request is rejected sends no body. For one strand. Does not outlive the request.
class RequestBody final : public ByteSource {
 public:
  RequestBody(Connection& connection, const RequestHead& head);

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override;

  // The whole body was read.
  bool finished() const { return !failed_ && (chunked_ ? chunks_.finished() : remaining_ == 0); }
  // Whether the unread rest is known to be small, so that reading it is cheaper than a new
  // connection. Otherwise the connection ends with this request.
  bool may_be_drained() const;
  // Discards the buffered bytes of a chunked body. If the body ends there, it may be drained.
  void DiscardBuffered();
  // Reads and discards the rest. REQUIRES: may_be_drained().
  net::awaitable<Result<void>> Drain();

 private:
  net::awaitable<Result<size_t>> ReadChunked(MutableBytes buffer);
  // Decodes received bytes in place and returns the number of content bytes. Bytes beyond the body
  // go back to the connection.
  Result<size_t> Decode(MutableBytes received);
  Error Truncated();

  Connection& connection_;
  const bool chunked_;
  const std::optional<uint64_t> length_;
  uint64_t remaining_;   // bytes of a body that is not chunked
  ChunkDecoder chunks_;  // of a chunked body
  bool awaits_continue_;
  bool failed_ = false;
};

}  // namespace outport::http
