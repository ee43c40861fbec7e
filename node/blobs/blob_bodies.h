#pragma once

#include <functional>
#include <memory>

#include "node/blobs/blob_fetch.h"
#include "node/blobs/cached_blobs.h"
#include "node/blobs/passing_body.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/slots.h"
#include "registry/service/registry.h"
#include "registry/storage/block_buffer.h"

namespace outport::node {

// The objects that the bodies of a node's blobs share. The context outlives the bodies.
struct BodyContext {
  BlobSource& source;
  CachedBlobs& cached;
  BlockingPool& disk;
  const FetchMetrics& metrics;
  PassingLimits passing;
  uint64_t far_ahead_bytes = 0;  // a reader that is further past the watermark gets its own stream
  Slots passing_slots;           // the slots of bodies that pass through
};

// The body of a cached copy. If a block cannot be read or fails its checksum, the body quarantines
// the copy, and reads the rest of the blob from a new copy or a fetch. The bytes before the block
// have passed their checksums.
class CachedBody final : public BlobBody {
 public:
  // Opens another body of the blob. `read_bytes`: what the reader has read from the first byte on,
  // without a gap.
  using Reopen = std::move_only_function<net::awaitable<Result<std::unique_ptr<BlobBody>>>(
      uint64_t read_bytes)>;
  CachedBody(BodyContext& context, const Digest& digest, CachedCopy copy, uint64_t read_bytes,
             Reopen reopen);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;

 private:
  BodyContext& context_;
  const BlobInfo info_;
  const CachedCopy copy_;
  uint64_t read_bytes_;
  Reopen reopen_;
  BlockBuffer block_;
  std::unique_ptr<BlobBody> rest_;  // once a block of the copy was corrupt
};

// The body of a blob that the node is fetching. It reads the file of the fetch up to the watermark,
// and also after the fetch has ended. If the disk is full, the blob passes through to the reader.
class FetchBody final : public BlobBody {
 public:
  // `read_bytes`: what the reader has read before from the first byte on, without a gap.
  FetchBody(BodyContext& context, std::unique_ptr<FetchHold> fetch, uint64_t read_bytes);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;
  // Waits until the first bytes may be read. By then the store has confirmed the blob's size. If
  // the blob is not longer than the tail, its digest has verified, too.
  net::awaitable<Result<void>> Prefetch();

 private:
  // Waits until the byte at `offset` is released, and reads its block into memory.
  net::awaitable<Result<void>> Load(uint64_t offset);
  // These two methods continue from `offset` with a PassingBody. PassThrough() is for a full disk,
  // and PassAhead() is for a reader far past the watermark.
  net::awaitable<Result<void>> PassThrough(uint64_t offset);
  void PassAhead(uint64_t offset);

  BodyContext& context_;
  const std::unique_ptr<FetchHold> fetch_;
  const BlobInfo info_;
  BlockBuffer block_;
  uint64_t released_ = 0;
  uint64_t position_;     // the offset at which the last read ended
  bool in_order_ = true;  // whether the reader has read from the first byte on, without a gap
  std::unique_ptr<PassingBody> passing_;  // reads the rest of the blob, if it passes through
};

}  // namespace outport::node
