#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>

#include "registry/base/blocking_pool.h"
#include "registry/base/bytes.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"
#include "registry/base/shares.h"
#include "registry/service/registry.h"
#include "store/content/blobs.h"
#include "store/uploads/body_space.h"
#include "store/uploads/upload_sessions.h"

namespace outport::store {

// Receives the bodies of upload requests into their sessions. Each body has two buffers: the pool
// hashes and writes one of them while the connection fills the other one. Callable from any strand;
// nothing here blocks. `blobs` and `disk` outlive the BodyReceiver. The owner stops the pool before
// it destroys the BodyReceiver.
class BodyReceiver {
 public:
  struct Limits {
    // At most `bodies` bodies are received at once. Each body has two buffers. The first `wide`
    // bodies get buffers of 1 MiB, and all others get buffers of 128 KiB. So the memory for buffers
    // is bounded. Shares divides the bodies among the users.
    size_t bodies = 512;
    size_t wide = 32;
  };
  struct Parts {
    Blobs& blobs;
    BlockingPool& disk;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    Limits limits = {};
  };
  explicit BodyReceiver(Parts parts);

  // Appends the whole body to the claimed session, whose writer is open. After an error the session
  // keeps the bytes that arrived before the error, and releases the other disk space (Release()).
  // kRangeInvalid if `range` does not begin where the session ends, kSizeInvalid if the body's
  // length does not fit `range`. kNoSpace if the disk lacks the space. kTooManyRequests if the
  // user's share is used up, or if another request took the session over. kRequestTimeout if the
  // body had to yield to one of another user, because it moved the fewest bytes.
  net::awaitable<Result<void>> Receive(UploadSessions::ClaimPtr claim,
                                       std::optional<ByteRange> range, ByteSource& body);

 private:
  class Buffer;
  struct Filled;
  struct Place;
  static net::awaitable<Filled> Fill(UploadSessions::Claim& claim, ByteSource& body,
                                     MutableBytes buffer, Place& place);
  // The pool shares both buffers: it may still write one of them when the coroutine is destroyed.
  using Buffers = std::array<std::shared_ptr<Buffer>, 2>;
  using BodySpacePtr = std::shared_ptr<BodySpace>;

  // Releases the disk space that was reserved for bytes that did not arrive. The pool rejects this
  // work only if it stops, or if its queue is full of work in progress. The space then stays
  // reserved until the session's next body reserves space, or until the session ends.
  net::awaitable<void> Release(UploadSessions::ClaimPtr claim);
  net::awaitable<Result<void>> Copy(UploadSessions::ClaimPtr claim, std::optional<ByteRange> range,
                                    ByteSource& body, const Buffers& buffers, BodySpacePtr space,
                                    Place& place);
  // Does the same, but ends with kRequestTimeout when the place must be given to another user.
  net::awaitable<Result<void>> CopyOrYield(UploadSessions::ClaimPtr claim,
                                           std::optional<ByteRange> range, ByteSource& body,
                                           const Buffers& buffers, BodySpacePtr space,
                                           Place& place);
  // Appends the bytes to the session's writer. Blocks.
  Result<void> AppendTo(UploadSession& session, Bytes bytes, BodySpace& space);

  const Parts parts_;
  Shares shares_;
  prometheus::Counter& received_bytes_;
};

}  // namespace outport::store
