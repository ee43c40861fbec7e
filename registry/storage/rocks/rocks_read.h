#pragma once

#include <rocksdb/db.h>

#include <string>
#include <string_view>
#include <vector>

#include "registry/storage/meta_log.h"
#include "registry/storage/meta_store.h"

namespace outport {

inline rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToText(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Converts RocksDB's status to an error. A full disk is kNoSpace, corrupt data is kCorrupt, and a
// wait for a lock that took too long is kDeadlineExceeded. All other failures are kInternal.
Error RocksError(const rocksdb::Status& status, std::string_view operation);

// Returns the first key after all keys that begin with `prefix`, or an empty text if no such key
// exists.
std::string EndOfPrefix(std::string_view prefix);

// The bounds of a scan, as read options of RocksDB. The options point to texts that the ScanBounds
// owns.
class ScanBounds {
 public:
  explicit ScanBounds(const ScanRange& range, const rocksdb::Snapshot* snapshot = nullptr);
  ScanBounds(const ScanBounds&) = delete;
  ScanBounds& operator=(const ScanBounds&) = delete;

  const rocksdb::ReadOptions& options() const { return options_; }
  // Returns the rows of the range. REQUIRES: `iterator` was created with options().
  Result<std::vector<KeyValue>> Read(rocksdb::Iterator& iterator) const;

 private:
  const std::string prefix_;
  const std::string start_;
  const size_t limit_;
  const size_t limit_bytes_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  rocksdb::ReadOptions options_;
};

// Implements the reads of MetaView for a database. If `snapshot` is nullptr, the methods read the
// newest committed rows. Otherwise they read the rows at the snapshot.
class RocksReads {
 public:
  explicit RocksReads(rocksdb::DB& db, const rocksdb::Snapshot* snapshot = nullptr)
      : db_(db), snapshot_(snapshot) {}

  Result<std::optional<std::string>> Get(std::string_view key) const;
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const;
  // Returns the position that the log's head row contains, or the log's start if there is no head
  // row.
  Result<LogPosition> Head(const LogRows& log) const;
  // Returns records as MetaView::ReadLog() does. kCorrupt if a record is missing after the first
  // one of the result.
  Result<std::vector<LogRecord>> ReadLog(const LogRows& log, uint64_t from, size_t limit,
                                         size_t limit_bytes) const;
  // Returns the position of the log's last row, or the log's start if there is none.
  Result<LogPosition> LastRecord(const LogRows& log) const;

 private:
  rocksdb::ReadOptions Options() const;

  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

}  // namespace outport
