#pragma once

#include <memory>

#include "registry/base/blocking_pool.h"
#include "registry/service/registry.h"
#include "store/content/blobs.h"

namespace prometheus {
class Counter;
}

namespace outport::store {

// A blob on its way to a client: one checksum block in memory at a time. What the page cache holds
// is read on the caller's thread, the rest on the pool. Bytes that fail their checksum never leave:
// the object is put aside and the body ends with kCorrupt.
class StoredBlobBody final : public BlobBody {
 public:
  struct Parts {
    Blobs& blobs;
    BlockingPool& disk;
    prometheus::Counter& corrupt;
  };
  StoredBlobBody(Parts parts, Blobs::Opened opened);

  const BlobInfo& info() const override { return opened_->blob.info; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;

 private:
  struct Block;
  net::awaitable<Result<void>> Load(uint64_t block_offset);

  const Parts parts_;
  const std::shared_ptr<Blobs::Opened> opened_;  // shared with a read on the pool
  std::shared_ptr<Block> block_;                 // the same
};

}  // namespace outport::store
