#pragma once

#include <chrono>

#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/holder.h"
#include "registry/base/shares.h"
#include "store/content/blobs.h"

namespace outport::store {

// Finds out whether the bytes of a stored blob are intact before a client relies on them without
// a push of its own. Reads the whole blob, unless this process has written or read it in the last
// 24 hours. Safe for all strands.
class IntactBlobs {
 public:
  struct Limits {
    size_t checks = 16;                        // at once; the holders divide them (Shares)
    std::chrono::milliseconds max_wait{5000};  // of one caller
  };
  // The referenced objects outlive this object.
  IntactBlobs(Blobs& blobs, BlockingPool& disk) : IntactBlobs(blobs, disk, Limits()) {}
  IntactBlobs(Blobs& blobs, BlockingPool& disk, Limits limits);

  // Returns whether the blob of the repository is intact. A corrupt object goes to quarantine.
  // Returns false, too, if its bytes cannot be read, if the share of the holder is used up, or if
  // the check takes too long: the next check then continues where this one has ended. Returns an
  // error if the metadata cannot be read, or if the pool is full.
  Awaitable<Result<bool>> Check(Holder holder, RepositoryName repository, Digest digest);

 private:
  Awaitable<void> Reject(const Blobs::Opened& opened, Error why);

  Blobs& blobs_;
  BlockingPool& disk_;
  const Limits limits_;
  Shares checks_;
};

}  // namespace outport::store
