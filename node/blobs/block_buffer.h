#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "registry/base/blocking_pool.h"
#include "registry/base/bytes.h"
#include "registry/base/result.h"
#include "registry/storage/blob_store.h"

namespace outport::node {

// One checksum block of a blob, in memory: what a reader of a blob holds of it. For one coroutine
// at a time.
class BlockBuffer {
 public:
  // What is held from `offset` on; empty if that is in another block.
  Bytes At(uint64_t offset) const {
    if (offset < begin_ || offset >= begin_ + size_) return {};
    return Bytes(*memory_).subspan(offset - begin_, begin_ + size_ - offset);
  }

  // Fills the buffer with the block that holds `offset`, from the page cache, or else on the pool.
  // `Source` is a BlobReader or a BlobWriter, shared with the work on the pool.
  template <class Source>
  net::awaitable<Result<void>> Load(std::shared_ptr<const Source> source, BlockingPool& disk,
                                    uint64_t offset, uint64_t total) {
    size_ = 0;
    begin_ = offset / kChecksumBlockBytes * kChecksumBlockBytes;
    const uint64_t size = std::min(kChecksumBlockBytes, total - begin_);
    if (memory_ == nullptr) memory_ = std::make_shared<std::vector<std::byte>>(size);
    memory_->resize(size);
    CO_TRY(size_t read, source->ReadCached(begin_, *memory_));
    if (read < size) {
      auto from_disk = [source, memory = memory_, at = begin_] {
        return source->Read(at, *memory);
      };
      CO_TRY(read, co_await BlockingUnderWay(disk, from_disk));
    }
    if (read != size) co_return Error{ErrorCode::kCorrupt, "the blob ends before its size says"};
    size_ = size;
    co_return Result<void>();
  }

 private:
  // Shared with a read on the pool, which may outlive the coroutine that awaits it.
  std::shared_ptr<std::vector<std::byte>> memory_;
  uint64_t begin_ = 0;
  uint64_t size_ = 0;
};

}  // namespace outport::node
