#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "registry/storage/meta_store.h"

namespace outport {

// The rows in which a key-value store keeps a log of numbered, hash-chained records. The oldest
// records may have been deleted.
//
//   <prefix><sequence, 8 bytes big-endian>   hash (32 bytes), record
//   <head>                                   sequence (8 bytes big-endian), hash (32 bytes)
struct LogRows {
  std::string_view name;  // the log's name in errors
  std::string_view prefix;
  std::string_view head;

  std::string Key(uint64_t sequence) const;
  // These methods decode a row that EncodeHead() or EncodeRecord() has encoded. kCorrupt if the row
  // has another format.
  Result<LogPosition> DecodeHead(std::string_view value) const;
  Result<LogRecord> DecodeRecord(std::string_view key, std::string_view value) const;
};
inline constexpr LogRows kChangeLog{"change log", "change/", "head"};
inline constexpr LogRows kAuditLog{"audit log", "audit/", "audit-head"};

// Returns the position with this hash, or nullopt if the hash does not have 32 bytes.
std::optional<LogPosition> ToLogPosition(uint64_t sequence, std::string_view hash);

std::string EncodeHead(const LogPosition& head);
std::string EncodeRecord(const LogRecord& record);

// Returns whether the key belongs to one of the two logs. Only MetaTransaction::Commit() writes the
// rows of the logs, and only TrimChanges() and TrimAudit() delete them.
bool IsLogKey(std::string_view key);

}  // namespace outport
