#include "registry/storage/free_space.h"

#include <algorithm>
#include <string>

namespace outport {

Result<void> RequireFreeSpace(const DiskSpace& space, std::string_view disk,
                              uint64_t headroom_bytes, uint64_t needed_bytes) {
  const uint64_t usable = space.free_bytes - std::min(space.free_bytes, space.promised_bytes);
  if (usable >= headroom_bytes && usable - headroom_bytes >= needed_bytes) return {};
  std::string free = std::to_string(space.free_bytes) + " bytes are free";
  if (space.promised_bytes > 0) {
    free += ", and " + std::to_string(space.promised_bytes) +
            " of them are promised to writes in progress";
  }
  return Error{ErrorCode::kNoSpace, std::string(disk) + " is full: a write of " +
                                        std::to_string(needed_bytes) + " bytes must leave " +
                                        std::to_string(headroom_bytes) +
                                        " bytes free (disk.headroom), but only " + free +
                                        "; ask the operator to free space"};
}

Result<void> RequireFreeSpace(BlobStore& blobs, std::string_view disk, uint64_t headroom_bytes,
                              uint64_t needed_bytes) {
  TRY(const uint64_t free_bytes, blobs.FreeBytes());
  return RequireFreeSpace(DiskSpace{.free_bytes = free_bytes}, disk, headroom_bytes, needed_bytes);
}

}  // namespace outport
