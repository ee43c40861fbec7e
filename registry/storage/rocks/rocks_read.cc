#include "registry/storage/rocks/rocks_read.h"

#include <algorithm>
#include <memory>

namespace outport {

Error RocksError(const rocksdb::Status& status, std::string_view operation) {
  ErrorCode code = ErrorCode::kInternal;
  if (status.IsNoSpace()) code = ErrorCode::kNoSpace;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsTimedOut() || status.IsBusy()) code = ErrorCode::kDeadlineExceeded;
  return Error{code, std::string(operation) + ": " + status.ToString()};
}

std::string EndOfPrefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

ScanBounds::ScanBounds(const ScanRange& range, const rocksdb::Snapshot* snapshot)
    : prefix_(range.prefix),
      start_(range.after.empty() ? range.prefix
                                 : std::max(range.prefix, range.after + std::string(1, '\0'))),
      limit_(range.limit),
      limit_bytes_(range.limit_bytes),
      end_(EndOfPrefix(range.prefix)),
      end_slice_(end_) {
  options_.snapshot = snapshot;
  if (!end_.empty()) options_.iterate_upper_bound = &end_slice_;
}

Result<std::vector<KeyValue>> ScanBounds::Read(rocksdb::Iterator& iterator) const {
  std::vector<KeyValue> rows;
  size_t bytes = 0;
  for (iterator.Seek(start_); rows.size() < limit_ && iterator.Valid(); iterator.Next()) {
    if (!iterator.key().starts_with(prefix_)) break;
    rows.push_back({iterator.key().ToString(), iterator.value().ToString()});
    bytes += rows.back().key.size() + rows.back().value.size();
    if (bytes > limit_bytes_) break;
  }
  if (!iterator.status().ok()) return RocksError(iterator.status(), "scanning the metadata");
  return rows;
}

rocksdb::ReadOptions RocksReads::Options() const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_;
  return options;
}

Result<std::optional<std::string>> RocksReads::Get(std::string_view key) const {
  std::string value;
  const rocksdb::Status status = db_.Get(Options(), ToSlice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return RocksError(status, "reading the metadata");
  return std::optional(std::move(value));
}

Result<std::vector<KeyValue>> RocksReads::Scan(const ScanRange& range) const {
  const ScanBounds bounds(range, snapshot_);
  const std::unique_ptr<rocksdb::Iterator> iterator(db_.NewIterator(bounds.options()));
  return bounds.Read(*iterator);
}

Result<LogPosition> RocksReads::Head(const LogRows& log) const {
  TRY(const std::optional<std::string> row, Get(log.head));
  return row.has_value() ? log.DecodeHead(*row) : Result<LogPosition>(LogPosition());
}

Result<std::vector<LogRecord>> RocksReads::ReadLog(const LogRows& log, uint64_t from, size_t limit,
                                                   size_t limit_bytes) const {
  const std::string end = EndOfPrefix(log.prefix);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions options = Options();
  options.iterate_upper_bound = &end_slice;
  const std::unique_ptr<rocksdb::Iterator> iterator(db_.NewIterator(options));

  std::vector<LogRecord> records;
  uint64_t expected = std::max<uint64_t>(from, 1);
  size_t bytes = 0;
  for (iterator->Seek(log.Key(expected)); records.size() < limit && iterator->Valid();
       iterator->Next()) {
    TRY(LogRecord record, log.DecodeRecord(ToText(iterator->key()), ToText(iterator->value())));
    const uint64_t sequence = record.position.sequence;
    if (records.empty()) expected = sequence;
    if (sequence != expected) {
      return Error{ErrorCode::kCorrupt, "the " + std::string(log.name) + " lacks record " +
                                            std::to_string(expected) + "; the next record is " +
                                            std::to_string(sequence)};
    }
    bytes += record.record.size();
    if (bytes > limit_bytes && !records.empty()) break;
    records.push_back(std::move(record));
    ++expected;
  }
  if (!iterator->status().ok()) return RocksError(iterator->status(), "reading a log");
  return records;
}

Result<LogPosition> RocksReads::LastRecord(const LogRows& log) const {
  const std::unique_ptr<rocksdb::Iterator> iterator(db_.NewIterator(Options()));
  iterator->SeekForPrev(EndOfPrefix(log.prefix));
  if (!iterator->status().ok()) return RocksError(iterator->status(), "reading a log");
  if (!iterator->Valid() || !ToText(iterator->key()).starts_with(log.prefix)) {
    return LogPosition();
  }
  TRY(const LogRecord record, log.DecodeRecord(ToText(iterator->key()), ToText(iterator->value())));
  return record.position;
}

}  // namespace outport
