#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport {

// The CRC32C of each block of a blob (kChecksumBlockBytes), computed while the bytes come. For one
// thread at a time.
class BlockChecksums {
 public:
  void Update(Bytes bytes);
  // Of the blocks that are full.
  std::span<const uint32_t> full() const { return full_; }
  // Of what stands behind the full blocks.
  uint32_t partial() const { return running_; }
  // Of all blocks, the last one as far as it has come.
  std::vector<uint32_t> All() const;

 private:
  std::vector<uint32_t> full_;
  uint32_t running_ = 0;
  uint64_t in_block_ = 0;  // bytes that running_ covers, less than a block
};

// Whole blocks that fit into `buffer_size` bytes from `offset` of a blob, of which `end` bytes can
// be read and `total` bytes are in all (`total` may be unknown: pass a number above `end`). 0 at
// the end. kInvalidArgument where the rules of BlobReader::Read are not kept.
Result<size_t> ReadableBytes(uint64_t offset, uint64_t buffer_size, uint64_t end, uint64_t total);

// Checks blocks that begin at `offset` by their checksums; kCorrupt names the object and the block.
Result<void> VerifyBlocks(const std::string& object, uint64_t offset, Bytes blocks,
                          std::span<const uint32_t> checksums);

}  // namespace outport
