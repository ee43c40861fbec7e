#pragma once

#include <cstdint>
#include <optional>

#include "registry/base/result.h"
#include "store/content/blobs.h"
#include "store/uploads/upload_sessions.h"

namespace outport::store {

// The disk space of one body that is being received. It grows with the bytes that arrive: the
// length that a client states reserves nothing. With each step the body gets space for what has
// arrived, and for as much again as it has sent, at most kAhead. If the length is known, the file
// reserves this space.
//
// For one thread at a time; the coroutine that receives the body and its work on the pool share the
// object. `blobs` outlives it.
class BodySpace {
 public:
  static constexpr uint64_t kAhead = 8 << 20;

  // `length`: the length of the body, if the client states it.
  BodySpace(Blobs& blobs, std::optional<uint64_t> length) : blobs_(blobs), left_(length) {}

  // Checks that the disk has space for the whole body now. kNoSpace if it has not. Blocks.
  Result<void> Check(const UploadSession& session) const;
  // Appends the bytes to the session's writer, within the space that the body has or gets. kNoSpace
  // if the disk lacks the space; the session then has its earlier bytes and its writer. Blocks.
  Result<void> Append(UploadSession& session, Bytes bytes);
  // Whether the file of the session has reserved space for bytes that have not arrived.
  bool has_reserved(const UploadSession& session) const {
    return reserved_end_ > session.size_bytes.load();
  }

 private:
  using Promise = SpaceLedger::Promise;
  // Gets space for `size` bytes that have arrived. Returns the promise that their write needs, or
  // nullopt if the file has reserved the space.
  Result<std::optional<Promise>> Extend(UploadSession& session, uint64_t size);

  Blobs& blobs_;
  std::optional<uint64_t> left_;  // bytes of the body that were not yet appended
  uint64_t received_ = 0;         // bytes of the body that were appended
  uint64_t reserved_end_ = 0;     // the offset in the file up to which it has reserved space
};

}  // namespace outport::store
