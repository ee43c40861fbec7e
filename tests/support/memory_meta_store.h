#pragma once

#include <map>
#include <memory>
#include <string>

#include "registry/base/mutex.h"
#include "registry/storage/meta_store.h"

namespace outport {

// A MetaStore in memory for tests of its users: it has rows, but no log, and no locks that outlive
// a call.
class MemoryMetaStore final : public MetaStore {
 public:
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    MutexLock lock(mutex_);
    const auto found = rows_.find(key);
    if (found == rows_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    MutexLock lock(mutex_);
    std::vector<KeyValue> found;
    size_t bytes = 0;
    for (const auto& [key, value] : rows_) {
      if (found.size() == range.limit || bytes > range.limit_bytes) break;
      if (!key.starts_with(range.prefix) || key <= range.after) continue;
      found.push_back({key, value});
      bytes += key.size() + value.size();
    }
    return found;
  }
  Result<LogPosition> Head() const override { return LogPosition(); }
  Result<std::vector<LogRecord>> ReadLog(uint64_t, size_t, size_t) const override {
    return std::vector<LogRecord>();
  }
  Result<LogPosition> AuditHead() const override { return LogPosition(); }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t, size_t, size_t) const override {
    return std::vector<LogRecord>();
  }
  std::optional<Error> WhyReadOnly() const override { return std::nullopt; }
  Notifier& HeadChanged() override { return head_changed_; }
  std::unique_ptr<MetaView> Snapshot() override { return nullptr; }
  std::unique_ptr<MetaTransaction> Begin() override { return std::make_unique<Transaction>(*this); }

 private:
  class Transaction final : public MetaTransaction {
   public:
    explicit Transaction(MemoryMetaStore& store) : store_(store) {}
    Result<std::optional<std::string>> Get(std::string_view key) override {
      const auto written = writes_.find(key);
      if (written != writes_.end()) return written->second;
      return store_.Get(key);
    }
    Result<std::optional<std::string>> GetForUpdate(std::string_view key) override {
      return Get(key);
    }
    Result<std::vector<KeyValue>> Scan(const ScanRange& range) override {
      return store_.Scan(range);
    }
    Result<void> Put(std::string_view key, std::string_view value) override {
      writes_.insert_or_assign(std::string(key), std::string(value));
      return {};
    }
    Result<void> Delete(std::string_view key) override {
      writes_.insert_or_assign(std::string(key), std::nullopt);
      return {};
    }
    void Append(std::string) override {}
    void Audit(std::string) override {}
    Result<void> TrimChanges(uint64_t, uint64_t) override { return {}; }
    Result<void> TrimAudit(uint64_t, uint64_t) override { return {}; }
    Result<LogPosition> Commit(Durability) override {
      MutexLock lock(store_.mutex_);
      for (const auto& [key, value] : writes_) {
        if (value.has_value()) {
          store_.rows_.insert_or_assign(key, *value);
        } else {
          store_.rows_.erase(key);
        }
      }
      return LogPosition();
    }

   private:
    MemoryMetaStore& store_;
    std::map<std::string, std::optional<std::string>, std::less<>> writes_;
  };

  Notifier head_changed_;
  mutable Mutex mutex_;
  std::map<std::string, std::string, std::less<>> rows_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
