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
  std::chrono::milliseconds pause{200};  // before the body resumes a broken stream
  int attempts = 5;  // give up after this many attempts in a row without a chunk
};

// The body of a blob that passes through: the node streams the blob from the store to one reader
// and keeps no copy. The body checks each chunk. If the reader reads in order from the first byte,
// the body also checks the digest before it releases the tail. The body keeps two chunks in memory.
class PassingBody final : public BlobBody {
 public:
  // Streams the blob from the block of `offset` on. `source` and `metrics` outlive the body.
  PassingBody(BlobRequest request, uint64_t offset, BlobSource& source, const FetchMetrics& metrics,
              Slots::Slot slot, PassingLimits limits);

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override;
  // Waits until the first bytes may be read. By then the store has confirmed the blob's size. If
  // the blob is not longer than the tail, its digest has verified, too.
  net::awaitable<Result<void>> Prefetch();
  // Receives and hashes the bytes before `offset`. The reader already has these bytes.
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
  std::deque<Chunk> chunks_;  // the last two chunks received
  uint64_t next_ = 0;         // the offset of the next chunk
  bool whole_ = false;        // whether hasher_ has all bytes before next_
  Hasher hasher_;
};

}  // namespace outport::node
