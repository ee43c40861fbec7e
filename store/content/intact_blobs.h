#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/lru_map.h"
#include "registry/base/mutex.h"
#include "registry/base/slots.h"
#include "store/content/blobs.h"

namespace outport::store {

// Finds out whether the bytes of a stored blob are intact before a client relies on them without
// a push of its own. Reads the whole blob, unless this process has read it in the last 24 hours.
// Safe for all strands.
class IntactBlobs {
 public:
  struct Limits {
    size_t checks = 16;                        // the most checks that run at once
    std::chrono::milliseconds max_wait{5000};  // of one caller
  };
  // The referenced objects outlive this object.
  IntactBlobs(Blobs& blobs, BlockingPool& disk) : IntactBlobs(blobs, disk, Limits()) {}
  IntactBlobs(Blobs& blobs, BlockingPool& disk, Limits limits);

  // Returns whether the blob of the repository is intact. A corrupt object goes to quarantine.
  // Returns false, too, if too many checks run, or if the check takes too long: the next check
  // then continues where this one has ended. Returns an error if the blob cannot be read for
  // another reason.
  Awaitable<Result<bool>> Check(RepositoryName repository, Digest digest);

 private:
  using Time = std::chrono::nanoseconds;  // since boot
  struct Checked {
    uint64_t size_bytes = 0;  // from the first byte on
    Time begun{};
  };
  Checked CheckedOf(const std::string& object);
  void Remember(const std::string& object, const Checked& checked);

  Blobs& blobs_;
  BlockingPool& disk_;
  const Limits limits_;
  Slots slots_;
  Mutex mutex_;
  LruMap<std::string, Checked> checked_ OUTPORT_GUARDED_BY(mutex_);  // by the object's name
};

}  // namespace outport::store
