#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "registry/storage/blob_store.h"

namespace outport {

// A BlobStore over another one, for tests that replace some of its methods.
class ForwardingBlobStore : public BlobStore {
 public:
  explicit ForwardingBlobStore(BlobStore& below) : below_(below) {}

  Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) override {
    return below_.Open(location);
  }
  Result<std::unique_ptr<BlobWriter>> Create(const Digest& digest) override {
    return below_.Create(digest);
  }
  Result<std::unique_ptr<BlobWriter>> Create(DigestAlgorithm algorithm,
                                             const std::string& name) override {
    return below_.Create(algorithm, name);
  }
  Result<std::unique_ptr<BlobWriter>> Resume(DigestAlgorithm algorithm, const std::string& name,
                                             uint64_t size_bytes) override {
    return below_.Resume(algorithm, name, size_bytes);
  }
  Result<uint64_t> UncommittedBytes(const std::string& name) override {
    return below_.UncommittedBytes(name);
  }
  Result<void> Discard(const std::string& name) override { return below_.Discard(name); }
  Result<void> Sync(const std::string& object) override { return below_.Sync(object); }
  Result<void> Remove(std::span<const std::string> objects, BlobWriter::SyncWhen sync) override {
    return below_.Remove(objects, sync);
  }
  Result<void> Quarantine(const std::string& object) override { return below_.Quarantine(object); }
  Result<void> DiscardUncommitted(const std::set<std::string>& keep) override {
    return below_.DiscardUncommitted(keep);
  }
  Result<uint64_t> FreeBytes() override { return below_.FreeBytes(); }

 protected:
  BlobStore& below() { return below_; }

 private:
  BlobStore& below_;
};

}  // namespace outport
