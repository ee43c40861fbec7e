#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "registry/storage/meta_store.h"
#include "tests/support/forwarding_blob_store.h"

namespace outport::store {

// A BlobStore whose disk has a size that the test chooses.
class SmallDisk final : public ForwardingBlobStore {
 public:
  // `used` returns the bytes of the files on the disk. The blobs are in `bytes`.
  SmallDisk(BlobStore& bytes, uint64_t size_bytes, std::function<uint64_t()> used)
      : ForwardingBlobStore(bytes), size_bytes_(size_bytes), used_(std::move(used)) {}

  Result<uint64_t> FreeBytes() override { return size_bytes_ - used_(); }

 private:
  const uint64_t size_bytes_;
  const std::function<uint64_t()> used_;
};

// A MetaStore that tells the test what happens. The test may advance its clock meanwhile, as if the
// disk were slow.
class WatchedMeta final : public MetaStore {
 public:
  explicit WatchedMeta(MetaStore& meta) : meta_(meta) {}

  std::function<void()> on_begin = [] {};
  std::function<void(const ScanRange&)> on_scan = [](const ScanRange&) {};
  std::function<void(std::string_view)> on_get = [](std::string_view) {};

  std::unique_ptr<MetaTransaction> Begin() override {
    auto transaction = meta_.Begin();
    on_begin();
    return transaction;
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    on_scan(range);
    return meta_.Scan(range);
  }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    on_get(key);
    return meta_.Get(key);
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

}  // namespace outport::store
