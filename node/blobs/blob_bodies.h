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

// The body of a cached copy. If a block fails its checksum, the body quarantines the copy, and
// reads the rest of the blob from a fetch. The bytes before the block have passed their checksums.
class CachedBody final : public BlobBody {
 public:
  // Opens a body that reads the blob from a fetch.
  using Refetch = std::move_only_function<net::awaitable<Result<std::unique_ptr<BlobBody>>>()>;
  CachedBody(BodyContext& context, const Digest& digest, CachedCopy copy, Refetch refetch);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;

 private:
  BodyContext& context_;
  const BlobInfo info_;
  const CachedCopy copy_;
  Refetch refetch_;
  BlockBuffer block_;
  std::unique_ptr<BlobBody> fetched_;  // once a block of the copy was corrupt
};

// The body of a blob that the node is fetching. It reads the file of the fetch up to the watermark,
// and also after the fetch has ended. If the disk is full, the blob passes through to the reader.
class FetchBody final : public BlobBody {
 public:
  FetchBody(BodyContext& context, std::unique_ptr<FetchHold> fetch);

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
  uint64_t position_ = 0;  // the offset at which the last read ended
  bool in_order_ = true;   // whether the reader has read from the first byte on, without a gap
  std::unique_ptr<PassingBody> passing_;  // reads the rest of the blob, if it passes through
};

}  // namespace outport::node
