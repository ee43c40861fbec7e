#pragma once

#include <rocksdb/utilities/transaction.h>

#include <memory>
#include <string>
#include <vector>

#include "registry/storage/meta_log.h"
#include "registry/storage/meta_store.h"
#include "registry/storage/rocks/commit_queue.h"

namespace outport {

// A transaction that locks and reads through RocksDB, and commits through the CommitQueue.
class RocksTransaction final : public MetaTransaction {
 public:
  RocksTransaction(std::unique_ptr<rocksdb::Transaction> transaction, CommitQueue& queue)
      : transaction_(std::move(transaction)), queue_(queue) {}

  Result<std::optional<std::string>> Get(std::string_view key) override;
  Result<std::optional<std::string>> GetForUpdate(std::string_view key) override;
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) override;
  Result<void> Put(std::string_view key, std::string_view value) override;
  Result<void> Delete(std::string_view key) override;
  void Append(std::string record) override { records_.changes.push_back(std::move(record)); }
  void Audit(std::string record) override { records_.audit.push_back(std::move(record)); }
  Result<void> TrimChanges(uint64_t first, uint64_t last) override {
    return Trim(kChangeLog, first, last);
  }
  Result<void> TrimAudit(uint64_t first, uint64_t last) override {
    return Trim(kAuditLog, first, last);
  }
  void SetUrgency(Urgency urgency) override { urgency_ = urgency; }
  Result<LogPosition> Commit(Durability durability) override;

 private:
  Result<void> Trim(const LogRows& log, uint64_t first, uint64_t last);

  std::unique_ptr<rocksdb::Transaction> transaction_;  // nullptr after Commit()
  CommitQueue& queue_;
  LogRecords records_;
  Urgency urgency_ = Urgency::kNormal;
};

}  // namespace outport
