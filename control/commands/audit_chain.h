#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

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

  // Calls `see` with the sequence and the hash (32 bytes) of each entry that Add() verifies.
  void OnEntry(std::function<void(uint64_t sequence, const std::string& hash)> see) {
    see_ = std::move(see);
  }

  uint64_t count() const { return count_; }
  uint64_t first() const { return first_; }
  uint64_t last() const { return last_; }
  const std::string& hash() const { return hash_; }  // the last entry's, 32 bytes
  // The hash before the first entry; 32 zero bytes for the first entry of a store.
  const std::string& start_hash() const { return start_hash_; }
  std::string Verified() const;  // "entries 1 to 7 verified"

 private:
  uint64_t count_ = 0;
  uint64_t first_ = 0;
  uint64_t last_ = 0;
  std::string hash_ = std::string(32, '\0');
  std::string start_hash_ = std::string(32, '\0');
  std::function<void(uint64_t sequence, const std::string& hash)> see_;
};

// Adds the lines of an audit file (audit.jsonl) to the chain. An empty chain starts with the first
// line of the file. The file may repeat a line. The text of kCorrupt names the file, the line and
// the reason.
Result<void> AddFile(AuditChain& chain, const std::filesystem::path& path);

}  // namespace outport::control
