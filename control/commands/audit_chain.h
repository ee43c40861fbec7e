#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport::control {

// The audit log's chain of hashes, recomputed entry by entry: hash(n) = SHA-256(hash(n-1) ||
// record n). A value.
class AuditChain {
 public:
  // The entry at `sequence` follows one that is not looked at, with this hash.
  void StartBehind(uint64_t sequence, std::string hash);

  // kCorrupt names the entry that does not continue the chain, and what that means.
  Result<void> Add(uint64_t sequence, const std::string& hash, std::string_view record);

  uint64_t count() const { return count_; }
  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  const std::string& hash() const { return hash_; }  // of the last entry, 32 bytes
  std::string Sound() const;  // "entries 1 to 7 are sound", for what was added

 private:
  uint64_t count_ = 0;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  std::string hash_ = std::string(32, '\0');
};

// Adds the lines of a file that the store wrote (audit.jsonl) to the chain, which begins with the
// file's first line if it is empty. A line that comes twice is no fault. kCorrupt names the file,
// the line and the reason.
Result<void> AddFile(AuditChain& chain, const std::filesystem::path& path);

}  // namespace outport::control
