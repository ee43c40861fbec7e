#pragma once

#include <cstdint>
#include <string_view>

#include "registry/base/result.h"
#include "registry/storage/blob_store.h"

namespace outport {

// Checks that `needed_bytes` more leave `headroom_bytes` of the disk free, which deletes and the
// metadata need. kNoSpace, with the figures, if they do not. `disk` names the disk in the error:
// "the store's disk". Blocks.
Result<void> RequireFreeSpace(BlobStore& blobs, std::string_view disk, uint64_t headroom_bytes,
                              uint64_t needed_bytes);

}  // namespace outport
