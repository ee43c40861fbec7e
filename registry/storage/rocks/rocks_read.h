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

// RocksDB's reason as ours: kNoSpace, kCorrupt, kDeadlineExceeded for a lock that was not given,
// else kInternal.
Error RocksError(const rocksdb::Status& status, std::string_view operation);

// The first key behind all keys that begin with `prefix`; empty if there is none.
std::string EndOfPrefix(std::string_view prefix);

// Where a scan looks, as RocksDB wants it. It keeps what the options point to.
class ScanBounds {
 public:
  explicit ScanBounds(const ScanRange& range, const rocksdb::Snapshot* snapshot = nullptr);
  ScanBounds(const ScanBounds&) = delete;
  ScanBounds& operator=(const ScanBounds&) = delete;

  const rocksdb::ReadOptions& options() const { return options_; }
  // The rows of the range; `iterator` was made with options().
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

// MetaView's reads of a database, at a snapshot or (nullptr) of what is committed now.
class RocksReads {
 public:
  explicit RocksReads(rocksdb::DB& db, const rocksdb::Snapshot* snapshot = nullptr)
      : db_(db), snapshot_(snapshot) {}

  Result<std::optional<std::string>> Get(std::string_view key) const;
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const;
  // What the head row says; the log's start if there is none.
  Result<LogPosition> Head(const LogRows& log) const;
  // Without gaps from the first row that is read on: `from` where the log is never trimmed.
  Result<std::vector<LogRecord>> ReadLog(const LogRows& log, uint64_t from, size_t limit,
                                         size_t limit_bytes) const;
  // The last record of the log, as its rows have it; the log's start if there is none.
  Result<LogPosition> LastRecord(const LogRows& log) const;

 private:
  rocksdb::ReadOptions Options() const;

  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

}  // namespace outport
