#pragma once

#include <memory>

#include "node/blobs/blob_fetch.h"
#include "node/blobs/cached_blobs.h"
#include "node/blobs/passing_body.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/slots.h"
#include "registry/service/registry.h"
#include "registry/storage/block_buffer.h"

namespace outport::node {

// What the bodies of a node's blobs need; all of it outlives them.
struct BodyContext {
  BlobSource& source;
  CachedBlobs& cached;
  BlockingPool& disk;
  const FetchMetrics& metrics;
  PassingLimits passing;
  uint64_t far_ahead_bytes = 0;  // a reader this far before the watermark gets a stream of its own
  Slots passing_slots;           // of bodies that pass through
};

// The body of a cached copy. A block that fails its checksum ends it, and condemns the copy.
class CachedBody final : public BlobBody {
 public:
  CachedBody(BodyContext& context, const Digest& digest, CachedCopy copy);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;

 private:
  BodyContext& context_;
  const BlobInfo info_;
  const CachedCopy copy_;
  BlockBuffer block_;
};

// The body of a blob that is being fetched: reads behind the fetch's watermark, and from the same
// file when the fetch is over. Passes through where the disk is full.
class FetchBody final : public BlobBody {
 public:
  FetchBody(BodyContext& context, std::unique_ptr<FetchHold> fetch);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;
  // Waits for the first bytes: after it the size is confirmed and they are here, and a blob that is
  // all tail has verified.
  net::awaitable<Result<void>> Prefetch();

 private:
  // Makes block_ hold what has been released from `offset`.
  net::awaitable<Result<void>> Load(uint64_t offset);
  net::awaitable<Result<void>> PassThrough(uint64_t offset);
  void PassAhead(uint64_t offset);

  BodyContext& context_;
  const std::unique_ptr<FetchHold> fetch_;
  const BlobInfo info_;
  BlockBuffer block_;
  uint64_t released_ = 0;
  uint64_t position_ = 0;                 // where the last read ended
  bool in_order_ = true;                  // read from the first byte on, without a gap
  std::unique_ptr<PassingBody> passing_;  // where the rest comes from, if not from the fetch
};

}  // namespace outport::node
