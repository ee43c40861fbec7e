#include "registry/storage/free_space.h"

#include <string>

namespace outport {

Result<void> RequireFreeSpace(BlobStore& blobs, std::string_view disk, uint64_t headroom_bytes,
                              uint64_t needed_bytes) {
  TRY(const uint64_t free_bytes, blobs.FreeBytes());
  if (free_bytes >= headroom_bytes && free_bytes - headroom_bytes >= needed_bytes) return {};
  return Error{ErrorCode::kNoSpace,
               std::string(disk) + " is full: a write of " + std::to_string(needed_bytes) +
                   " bytes must leave " + std::to_string(headroom_bytes) +
                   " bytes free (disk.headroom), but only " + std::to_string(free_bytes) +
                   " bytes are free; ask the operator to free space"};
}

}  // namespace outport
