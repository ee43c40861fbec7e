#include "registry/storage/checksums.h"

#include <algorithm>

#include "registry/storage/blob_store.h"

namespace outport {

void BlockChecksums::Update(Bytes bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min<size_t>(bytes.size(), kChecksumBlockBytes - in_block_));
    running_ = Crc32c(part, running_);
    in_block_ += part.size();
    if (in_block_ == kChecksumBlockBytes) {
      full_.push_back(running_);
      running_ = 0;
      in_block_ = 0;
    }
    bytes = bytes.subspan(part.size());
  }
}

std::vector<uint32_t> BlockChecksums::All() const {
  std::vector<uint32_t> all = full_;
  if (in_block_ != 0) all.push_back(running_);
  return all;
}

Result<size_t> ReadableBytes(uint64_t offset, uint64_t buffer_size, uint64_t end, uint64_t total) {
  if (offset >= end) return size_t{0};
  if (offset % kChecksumBlockBytes != 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        "cannot read a blob from byte " + std::to_string(offset) + ": no block begins there"};
  }
  const uint64_t left = end - offset;
  if (end == total && buffer_size >= left) return static_cast<size_t>(left);
  const uint64_t whole = std::min(buffer_size, left) / kChecksumBlockBytes * kChecksumBlockBytes;
  if (whole == 0 && buffer_size < kChecksumBlockBytes) {
    return Error{
        ErrorCode::kInvalidArgument,
        "cannot read a blob into " + std::to_string(buffer_size) + " bytes: a block is larger"};
  }
  return static_cast<size_t>(whole);
}

Result<void> VerifyBlocks(const std::string& object, uint64_t offset, Bytes blocks,
                          std::span<const uint32_t> checksums) {
  for (size_t i = 0; !blocks.empty(); ++i) {
    const auto block = blocks.first(std::min<size_t>(blocks.size(), kChecksumBlockBytes));
    if (i >= checksums.size() || Crc32c(block) != checksums[i]) {
      return Error{ErrorCode::kCorrupt, "the blob object " + object + " is corrupt in block " +
                                            std::to_string(offset / kChecksumBlockBytes + i)};
    }
    blocks = blocks.subspan(block.size());
  }
  return {};
}

}  // namespace outport
