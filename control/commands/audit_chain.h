#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport::control {

// Recomputes the hash chain of the audit log entry by entry:
// hash(n) = SHA-256(hash(n-1) || record n). A value type.
class AuditChain {
 public:
  // Starts the chain after entry `sequence`, whose hash is `hash`. Does not verify that entry.
  void StartAfter(uint64_t sequence, std::string hash);

  // Verifies the next entry. If the entry does not continue the chain, returns kCorrupt with the
  // sequence of the wrong entry and the reason.
  Result<void> Add(uint64_t sequence, const std::string& hash, std::string_view record);

  uint64_t count() const { return count_; }
  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  const std::string& hash() const { return hash_; }  // the last entry's, 32 bytes
  std::string Verified() const;                      // "entries 1 to 7 verified"

 private:
  uint64_t count_ = 0;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  std::string hash_ = std::string(32, '\0');
};

// Adds the lines of an audit file (audit.jsonl) to the chain. An empty chain starts with the first
// line of the file. The file may repeat a line. The text of kCorrupt names the file, the line and
// the reason.
Result<void> AddFile(AuditChain& chain, const std::filesystem::path& path);

}  // namespace outport::control
