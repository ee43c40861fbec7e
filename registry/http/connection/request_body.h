#pragma once

#include "registry/http/connection/chunk_decoder.h"
#include "registry/http/connection/connection.h"
#include "registry/service/registry.h"

namespace outport::http {

// The body of one request. A client that waits for "100 Continue" gets it when the first byte is
// asked for, so never when the request is refused. For one strand, and not beyond the request.
class RequestBody final : public ByteSource {
 public:
  RequestBody(Connection& connection, const RequestHead& head);

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override;

  // All of it was read.
  bool finished() const { return !failed_ && (chunked_ ? chunks_.finished() : remaining_ == 0); }
  // Whether what is left is known to be little, so that reading it is cheaper than a new
  // connection. Else the connection ends with this request.
  bool may_be_drained() const;
  // Drops what is left of a chunked body as far as it is here: then it may be drained if that was
  // all.
  void DropReceived();
  // Reads and drops what is left. REQUIRES: may_be_drained().
  net::awaitable<Result<void>> Drain();

 private:
  net::awaitable<Result<size_t>> ReadChunked(MutableBytes buffer);
  // Decodes what was received, in place: bytes of content. What is behind the body is given back.
  Result<size_t> Decode(MutableBytes received);
  Error CutShort();

  Connection& connection_;
  const bool chunked_;
  const std::optional<uint64_t> length_;
  uint64_t remaining_;   // without chunks
  ChunkDecoder chunks_;  // with chunks
  bool awaits_continue_;
  bool failed_ = false;
};

}  // namespace outport::http
