#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>

#include "registry/base/blocking_pool.h"
#include "registry/base/bytes.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"
#include "registry/base/slots.h"
#include "registry/service/registry.h"
#include "store/content/blobs.h"
#include "store/uploads/upload_sessions.h"

namespace outport::store {

// Receives the bodies of upload requests into their sessions. The pool hashes and writes one buffer
// while the other one fills from the connection. Callable from any strand; nothing here blocks.
// `blobs` and `disk` outlive it; the pool is stopped before it is destroyed.
class BodyReceiver {
 public:
  struct Limits {
    // Bodies received at once. Each has two buffers: of 1 MiB for the first `wide` bodies, of
    // 128 KiB for the others. This bounds the memory of all of them.
    size_t bodies = 512;
    size_t wide = 32;
  };
  struct Parts {
    Blobs& blobs;
    BlockingPool& disk;
    Metrics& metrics;
    Limits limits = {};
  };
  explicit BodyReceiver(Parts parts);

  // Appends the whole body to the claimed session, whose writer is open. After an error the session
  // keeps the bytes that arrived before. kRangeInvalid and kSizeInvalid if `range` or the body's
  // length does not fit, kNoSpace, kTooManyRequests beyond the limits or if another request took
  // the session over.
  net::awaitable<Result<void>> Receive(UploadSessions::ClaimPtr claim,
                                       std::optional<ByteRange> range, ByteSource& body);

 private:
  class Buffer;

  // Reserves the space for `length` bytes. Returns the alignment that the writer wants. Blocks.
  Result<size_t> Reserve(UploadSession& session, std::optional<uint64_t> length);
  net::awaitable<Result<void>> Copy(UploadSessions::ClaimPtr claim, std::optional<ByteRange> range,
                                    ByteSource& body, size_t buffer_bytes, size_t alignment);
  // Blocks.
  Result<void> AppendTo(UploadSession& session, Bytes bytes);

  const Parts parts_;
  Slots slots_;
  prometheus::Counter& received_bytes_;
};

}  // namespace outport::store
