#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "node/blobs/blob_source.h"
#include "registry/base/slots.h"
#include "registry/oci/digest.h"
#include "registry/service/registry.h"

namespace outport::node {

struct PassingLimits {
  std::chrono::milliseconds chunk_deadline{30000};
  std::chrono::milliseconds pause{200};  // before a broken stream is resumed
  int attempts = 5;                      // without a chunk
};

// A blob streamed from the store for one reader, kept nowhere. Every chunk is checked; a body that
// was read in order from its first byte has its digest checked too, before its last 64 KiB leave.
// It holds two chunks.
class PassingBody final : public BlobBody {
 public:
  // Begins at `offset`. What is passed by reference outlives the body.
  PassingBody(BlobRequest request, uint64_t offset, BlobSource& source, const FetchMetrics& metrics,
              Slots::Slot slot, PassingLimits limits);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;
  // Waits for the first bytes: after it the size is confirmed and they are here, and a blob that is
  // all tail has verified.
  net::awaitable<Result<void>> Prefetch();
  // Receives, and hashes, what comes before `offset`, for a reader that has it already.
  net::awaitable<Result<void>> SkipTo(uint64_t offset);

 private:
  struct Chunk {
    uint64_t begin = 0;
    std::vector<std::byte> data;
  };

  void Restart(uint64_t offset);
  net::awaitable<Result<void>> ReceiveChunk();
  Result<void> Append(Bytes data);
  Result<void> CheckDigest();

  const BlobRequest request_;
  const BlobInfo info_;
  BlobSource& source_;
  const FetchMetrics& metrics_;
  const Slots::Slot slot_;
  const PassingLimits limits_;
  std::unique_ptr<BlobChannel> channel_;
  std::deque<Chunk> chunks_;  // the last two received
  uint64_t next_ = 0;         // where the next chunk begins
  bool whole_ = false;        // all before next_ was hashed
  Hasher hasher_;
};

}  // namespace outport::node
