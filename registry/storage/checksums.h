#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport {

// Computes the CRC32C of each block of a blob while the bytes arrive. A block has
// kChecksumBlockBytes. For one thread at a time.
class BlockChecksums {
 public:
  void Update(Bytes bytes);
  // Returns the checksums of the full blocks.
  std::span<const uint32_t> full() const { return full_; }
  // Returns the checksum of the bytes after the last full block.
  uint32_t partial() const { return running_; }
  // Returns the checksums of all blocks, including a last block that is not full.
  std::vector<uint32_t> All() const;

 private:
  std::vector<uint32_t> full_;
  uint32_t running_ = 0;
  uint64_t in_block_ = 0;  // the number of bytes that running_ covers; less than a block
};

// Returns how many bytes a read of a blob from `offset` on can return. These are whole blocks, and
// at most `buffer_size` bytes. The first `end` bytes of the blob can be read. `total` is the size
// of the blob; if the size is unknown, pass a number above `end`. Returns 0 if no whole block can
// be read. kInvalidArgument if the call breaks the rules of BlobReader::Read.
Result<size_t> ReadableBytes(uint64_t offset, uint64_t buffer_size, uint64_t end, uint64_t total);

// Compares the blocks that begin at `offset` with their checksums. kCorrupt if a block differs; the
// error names the object and the block.
Result<void> VerifyBlocks(const std::string& object, uint64_t offset, Bytes blocks,
                          std::span<const uint32_t> checksums);

}  // namespace outport
