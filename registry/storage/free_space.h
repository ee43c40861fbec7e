#pragma once

#include <cstdint>
#include <string_view>

#include "registry/base/result.h"
#include "registry/storage/blob_store.h"

namespace outport {

// The space of a disk.
struct DiskSpace {
  uint64_t free_bytes = 0;
  uint64_t promised_bytes = 0;  // of the free bytes: promised to writes in progress
};

// Checks that the disk has `headroom_bytes` free after a write of `needed_bytes`. Deletes and the
// metadata need this headroom. If too little is free, returns kNoSpace with the numbers. `disk`
// names the disk in the error, for example "the store's disk".
Result<void> RequireFreeSpace(const DiskSpace& space, std::string_view disk,
                              uint64_t headroom_bytes, uint64_t needed_bytes);
// The same for the disk of `blobs`. Blocks.
Result<void> RequireFreeSpace(BlobStore& blobs, std::string_view disk, uint64_t headroom_bytes,
                              uint64_t needed_bytes);

}  // namespace outport
