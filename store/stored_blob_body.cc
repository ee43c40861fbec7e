#include "store/stored_blob_body.h"

#include <prometheus/counter.h>

#include <algorithm>
#include <utility>

namespace outport::store {

struct StoredBlobBody::Block {
  explicit Block(size_t size)
      : capacity(size), bytes(std::make_unique_for_overwrite<std::byte[]>(size)) {}

  MutableBytes buffer() { return {bytes.get(), capacity}; }

  size_t capacity;
  std::unique_ptr<std::byte[]> bytes;
  uint64_t offset = 0;
  size_t size_bytes = 0;  // loaded
};

StoredBlobBody::StoredBlobBody(Parts parts, Blobs::Opened opened)
    : parts_(parts), opened_(std::make_shared<Blobs::Opened>(std::move(opened))) {}

net::awaitable<Result<Bytes>> StoredBlobBody::Read(uint64_t offset, uint64_t at_most) {
  if (block_ == nullptr) {
    const uint64_t size = std::min(info().size_bytes, kChecksumBlockBytes);
    block_ = std::make_shared<Block>(static_cast<size_t>(size));
  }
  const bool loaded = offset >= block_->offset && offset - block_->offset < block_->size_bytes;
  if (!loaded) CO_TRY_VOID(co_await Load(offset / kChecksumBlockBytes * kChecksumBlockBytes));
  const size_t skip = static_cast<size_t>(offset - block_->offset);
  const uint64_t size = std::min<uint64_t>(block_->size_bytes - skip, at_most);
  co_return Bytes(block_->bytes.get() + skip, static_cast<size_t>(size));
}

net::awaitable<Result<void>> StoredBlobBody::Load(uint64_t block_offset) {
  block_->size_bytes = 0;
  Result<size_t> read = opened_->reader->ReadCached(block_offset, block_->buffer());
  if (read.has_value() && *read == 0) {
    auto blocking_read = [opened = opened_, block = block_, block_offset] {
      return opened->reader->Read(block_offset, block->buffer());
    };
    read = co_await BlockingUnderWay(parts_.disk, std::move(blocking_read));
  }
  if (!read.has_value()) {
    Error error = std::move(read).error();
    if (error.code == ErrorCode::kCorrupt) {
      parts_.corrupt.Increment();
      auto put_aside = [blobs = &parts_.blobs, opened = opened_] {
        return blobs->Quarantine(opened->blob.info.digest, opened->blob.location.object);
      };
      const Result<void> aside = co_await BlockingUnderWay(parts_.disk, std::move(put_aside));
      if (!aside.has_value()) error.message += "; putting it aside: " + aside.error().message;
    }
    co_return error;
  }
  block_->offset = block_offset;
  block_->size_bytes = *read;
  co_return Result<void>();
}

}  // namespace outport::store
