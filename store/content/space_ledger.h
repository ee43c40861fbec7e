#pragma once

#include <cstdint>

#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/free_space.h"

namespace outport::store {

// Divides the free space of the store's disk among the writes in progress. A write gets a promise
// before it takes space. The check and the promise happen under one lock, so that writes that run
// at the same time never leave less than the headroom.
//
// The disk itself counts the bytes that are written or reserved in a file. So a promise ends as
// soon as the disk shows its bytes. Each process has a ledger of its own. Safe for several threads.
// Every method blocks, for as long as the file system needs to return its free space. A ledger
// outlives its promises.
class SpaceLedger {
 public:
  // `headroom_bytes` remain free. `bytes` outlives the ledger.
  SpaceLedger(BlobStore& bytes, uint64_t headroom_bytes)
      : bytes_(bytes), headroom_bytes_(headroom_bytes) {}
  SpaceLedger(const SpaceLedger&) = delete;
  SpaceLedger& operator=(const SpaceLedger&) = delete;

  // Space that a write may take. The destructor ends the promise: call it when the disk shows that
  // the space is taken, or when the write has failed.
  class Promise {
   public:
    Promise(Promise&& other) noexcept;
    Promise& operator=(Promise&&) = delete;
    ~Promise();

    uint64_t bytes() const { return bytes_; }

   private:
    friend class SpaceLedger;
    Promise(SpaceLedger& ledger, uint64_t bytes) : ledger_(&ledger), bytes_(bytes) {}
    SpaceLedger* ledger_;  // nullptr after a move
    uint64_t bytes_;
  };

  // Checks that the headroom is left after a write of `needed_bytes`, besides the promises. If too
  // little is free, returns kNoSpace with the numbers. Promises nothing.
  Result<void> Require(uint64_t needed_bytes) const;

  struct Wanted {
    uint64_t at_least = 0;      // for bytes that have arrived
    uint64_t at_most = 0;       // with bytes that are going to arrive soon
    uint64_t needed_bytes = 0;  // for the error: what the whole write still needs
  };
  // Promises at least wanted.at_least bytes, and up to wanted.at_most of the free space. kNoSpace
  // if too little is free.
  Result<Promise> Take(const Wanted& wanted);

 private:
  Result<DiskSpace> Measure() const OUTPORT_REQUIRES_LOCK(mutex_);

  BlobStore& bytes_;
  const uint64_t headroom_bytes_;
  mutable Mutex mutex_;
  uint64_t promised_bytes_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

}  // namespace outport::store
