#pragma once

#include <cstdint>
#include <string_view>

#include "registry/base/result.h"
#include "registry/storage/blob_store.h"

namespace outport {

// Checks that the disk has `headroom_bytes` free after a write of `needed_bytes`. Deletes and the
// metadata need this headroom. If too little is free, returns kNoSpace with the numbers. `disk`
// names the disk in the error, for example "the store's disk". Blocks.
Result<void> RequireFreeSpace(BlobStore& blobs, std::string_view disk, uint64_t headroom_bytes,
                              uint64_t needed_bytes);

}  // namespace outport
