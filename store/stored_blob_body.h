#pragma once

#include "registry/base/blocking_pool.h"
#include "registry/service/registry.h"
#include "registry/storage/block_buffer.h"
#include "store/content/blobs.h"

namespace outport::store {

// Sends a stored blob to a client, with one checksum block in memory at a time. The caller's thread
// reads blocks that are in the page cache; the pool reads the others from the disk. A client never
// gets a block that fails its checksum: the body then quarantines the object and ends with
// kCorrupt.
class StoredBlobBody final : public BlobBody {
 public:
  struct Parts {
    Blobs& blobs;
    BlockingPool& disk;
  };
  StoredBlobBody(Parts parts, Blobs::Opened opened);

  const BlobInfo& info() const override { return opened_.blob.info; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;

 private:
  const Parts parts_;
  const Blobs::Opened opened_;
  BlockBuffer block_;
};

}  // namespace outport::store
