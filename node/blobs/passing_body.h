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
  int attempts = 5;                      // in a row, without a chunk
};

// The body of a blob that passes through: streamed from the store for one reader, without a copy.
// It checks each chunk. If the reader reads in order from the first byte, it also checks the digest
// before it releases the tail. It holds two chunks in memory.
class PassingBody final : public BlobBody {
 public:
  // Begins at `offset`. `source` and `metrics` outlive the body.
  PassingBody(BlobRequest request, uint64_t offset, BlobSource& source, const FetchMetrics& metrics,
              Slots::Slot slot, PassingLimits limits);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;
  // Waits until the first bytes may be read. Then the store has confirmed the size, and a blob that
  // is not longer than the tail has verified.
  net::awaitable<Result<void>> Prefetch();
  // Receives and hashes the bytes before `offset`, for a reader that already has them.
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
  uint64_t next_ = 0;         // the offset of the next chunk
  bool whole_ = false;        // all bytes before next_ are hashed
  Hasher hasher_;
};

}  // namespace outport::node
