#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "registry/base/blocking_pool.h"
#include "registry/base/bytes.h"
#include "registry/base/result.h"
#include "registry/storage/blob_store.h"

namespace outport {

// Reads the whole checksum block that begins at `begin` into `block`. If the block is not in the
// page cache, a thread of the pool reads it. That read may outlive the coroutine that awaits it, so
// it shares `source` and `memory`, which owns the bytes of `block`. `Source` is a BlobReader or a
// BlobWriter.
// kCorrupt if the block fails its checksum or is too short.
template <class Source>
net::awaitable<Result<void>> ReadBlock(std::shared_ptr<const Source> source, BlockingPool& disk,
                                       uint64_t begin, MutableBytes block,
                                       std::shared_ptr<void> memory) {
  CO_TRY(size_t read, source->ReadCached(begin, block));
  if (read < block.size()) {
    auto from_disk = [source = std::move(source), memory = std::move(memory), begin, block] {
      return source->Read(begin, block);
    };
    CO_TRY(read, co_await BlockingInProgress(disk, std::move(from_disk)));
  }
  if (read != block.size()) {
    co_return Error{ErrorCode::kCorrupt, "the blob has fewer bytes than its size says"};
  }
  co_return Result<void>();
}

// Holds one checksum block of a blob in memory, for a reader of the blob. For one coroutine at a
// time.
class BlockBuffer {
 public:
  // Returns the bytes of the buffer from `offset` of the blob on. Returns no bytes if the byte at
  // `offset` is not in the buffer.
  Bytes At(uint64_t offset) const {
    if (offset < begin_ || offset >= begin_ + size_) return {};
    return Bytes(*memory_).subspan(offset - begin_, begin_ + size_ - offset);
  }

  // Fills the buffer with the block that contains the byte at `offset`. `total` is the size of the
  // blob. Returns the errors of ReadBlock(). After an error the buffer is empty.
  template <class Source>
  net::awaitable<Result<void>> Load(std::shared_ptr<const Source> source, BlockingPool& disk,
                                    uint64_t offset, uint64_t total) {
    size_ = 0;
    begin_ = offset / kChecksumBlockBytes * kChecksumBlockBytes;
    const uint64_t size = std::min(kChecksumBlockBytes, total - begin_);
    if (memory_ == nullptr) memory_ = std::make_shared<std::vector<std::byte>>(size);
    memory_->resize(size);
    CO_TRY_VOID(co_await ReadBlock(std::move(source), disk, begin_, *memory_, memory_));
    size_ = size;
    co_return Result<void>();
  }

 private:
  std::shared_ptr<std::vector<std::byte>> memory_;  // shared with a read on the pool
  uint64_t begin_ = 0;
  uint64_t size_ = 0;
};

}  // namespace outport
