#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "registry/storage/meta_store.h"

namespace outport {

// A MetaStore over another one, which commits nothing while its disk is full, or while it has
// another failure.
class FullMetaStore final : public MetaStore {
 public:
  explicit FullMetaStore(MetaStore& meta) : meta_(meta) {}

  std::atomic<bool> full = false;
  // For tests with one thread. GetForUpdate() calls `on_lock` first.
  std::optional<ErrorCode> failure = std::nullopt;
  std::function<void(std::string_view)> on_lock = [](std::string_view) {};

  std::unique_ptr<MetaTransaction> Begin() override {
    return std::make_unique<Transaction>(*this, meta_.Begin());
  }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return meta_.Get(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    return meta_.Scan(range);
  }
  Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                         size_t limit_bytes) const override {
    return meta_.ReadLog(from, limit, limit_bytes);
  }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                           size_t limit_bytes) const override {
    return meta_.ReadAudit(from, limit, limit_bytes);
  }
  Result<LogPosition> Head() const override { return meta_.Head(); }
  Result<LogPosition> AuditHead() const override { return meta_.AuditHead(); }
  std::unique_ptr<MetaView> Snapshot() override { return meta_.Snapshot(); }
  std::optional<Error> WhyReadOnly() const override { return meta_.WhyReadOnly(); }
  Notifier& HeadChanged() override { return meta_.HeadChanged(); }

 private:
  class Transaction final : public MetaTransaction {
   public:
    Transaction(const FullMetaStore& store, std::unique_ptr<MetaTransaction> inner)
        : store_(store), inner_(std::move(inner)) {}
    Result<std::optional<std::string>> Get(std::string_view key) override {
      return inner_->Get(key);
    }
    Result<std::optional<std::string>> GetForUpdate(std::string_view key) override {
      store_.on_lock(key);
      return inner_->GetForUpdate(key);
    }
    Result<std::vector<KeyValue>> Scan(const ScanRange& range) override {
      return inner_->Scan(range);
    }
    Result<void> Put(std::string_view key, std::string_view value) override {
      return inner_->Put(key, value);
    }
    Result<void> Delete(std::string_view key) override { return inner_->Delete(key); }
    void Append(std::string record) override { inner_->Append(std::move(record)); }
    void Audit(std::string record) override { inner_->Audit(std::move(record)); }
    Result<void> TrimChanges(uint64_t first, uint64_t last) override {
      return inner_->TrimChanges(first, last);
    }
    Result<void> TrimAudit(uint64_t first, uint64_t last) override {
      return inner_->TrimAudit(first, last);
    }
    Result<LogPosition> Commit(Durability durability) override {
      if (store_.full) return Error{ErrorCode::kNoSpace, "the disk is full"};
      if (store_.failure.has_value()) return Error{*store_.failure, "a failure of the test"};
      return inner_->Commit(durability);
    }

   private:
    const FullMetaStore& store_;
    const std::unique_ptr<MetaTransaction> inner_;
  };

  MetaStore& meta_;
};

}  // namespace outport
