#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/storage/meta_store.h"

namespace outport {

// Shows another MetaStore. All commits of its transactions have the urgency kMustPass: for work
// that frees space, or without which the store could free none. Safe for several threads.
class MustPassMetaStore final : public MetaStore {
 public:
  // `meta` outlives this object.
  explicit MustPassMetaStore(MetaStore& meta) : meta_(meta) {}

  std::unique_ptr<MetaTransaction> Begin() override {
    auto transaction = meta_.Begin();
    transaction->SetUrgency(MetaTransaction::Urgency::kMustPass);
    return transaction;
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
  MetaStore& meta_;
};

}  // namespace outport
