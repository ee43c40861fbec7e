#include "registry/storage/rocks/rocks_transaction.h"

#include <rocksdb/utilities/write_batch_with_index.h>

#include <cassert>

#include "registry/base/log.h"
#include "registry/storage/meta_log.h"
#include "registry/storage/rocks/rocks_read.h"

namespace outport {
namespace {

// Converts the status of a lock or a write of `key`. If another transaction holds the lock, the
// error names the key.
Result<void> Outcome(const rocksdb::Status& status, std::string_view operation,
                     std::string_view key) {
  if (status.ok()) return {};
  Error error = RocksError(status, operation);
  if (error.code == ErrorCode::kDeadlineExceeded) {
    error.message = std::string(operation) + " the metadata row \"" + JsonEscape(key) +
                    "\": another change holds its lock for too long; retry";
  }
  return error;
}

Result<std::optional<std::string>> Found(const rocksdb::Status& status, std::string_view operation,
                                         std::string_view key, std::string value) {
  if (status.IsNotFound()) return std::nullopt;
  TRY_VOID(Outcome(status, operation, key));
  return std::optional(std::move(value));
}

}  // namespace

Result<std::optional<std::string>> RocksTransaction::Get(std::string_view key) {
  std::string value;
  const rocksdb::Status status = transaction_->Get(rocksdb::ReadOptions(), ToSlice(key), &value);
  return Found(status, "reading", key, std::move(value));
}

Result<std::optional<std::string>> RocksTransaction::GetForUpdate(std::string_view key) {
  std::string value;
  const rocksdb::Status status =
      transaction_->GetForUpdate(rocksdb::ReadOptions(), ToSlice(key), &value);
  return Found(status, "locking", key, std::move(value));
}

Result<std::vector<KeyValue>> RocksTransaction::Scan(const ScanRange& range) {
  const ScanBounds bounds(range);
  const std::unique_ptr<rocksdb::Iterator> iterator(transaction_->GetIterator(bounds.options()));
  return bounds.Read(*iterator);
}

Result<void> RocksTransaction::Put(std::string_view key, std::string_view value) {
  assert(!IsLogKey(key));
  return Outcome(transaction_->Put(ToSlice(key), ToSlice(value)), "changing", key);
}

Result<void> RocksTransaction::Delete(std::string_view key) {
  assert(!IsLogKey(key));
  return Outcome(transaction_->Delete(ToSlice(key)), "deleting", key);
}

Result<void> RocksTransaction::Trim(const LogRows& log, uint64_t first, uint64_t last) {
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    const std::string key = log.Key(sequence);
    TRY_VOID(Outcome(transaction_->Delete(ToSlice(key)), "deleting", key));
  }
  return {};
}

Result<LogPosition> RocksTransaction::Commit(Durability durability) {
  assert(transaction_ != nullptr);
  rocksdb::WriteBatch* const writes = transaction_->GetWriteBatch()->GetWriteBatch();
  if (writes->Count() == 0 && records_.Empty()) {
    transaction_.reset();
    return queue_.Heads().changes;
  }
  Result<LogPosition> result =
      queue_.Commit(*writes, std::move(records_), durability == Durability::kSynced, urgency_);
  transaction_.reset();  // releases the locks
  return result;
}

}  // namespace outport
