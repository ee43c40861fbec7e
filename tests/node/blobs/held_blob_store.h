#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "registry/storage/blob_store.h"

namespace outport::node {

// A BlobStore over another one. Reads of one object wait until the test releases them.
class HeldBlobStore final : public BlobStore {
 public:
  HeldBlobStore(BlobStore& below, std::string held) : below_(below), held_(std::move(held)) {}

  void Release() { released_ = true; }
  bool IsReading() const { return reading_; }

  Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) override {
    TRY(std::unique_ptr<BlobReader> reader, below_.Open(location));
    if (location.object != held_) return reader;
    return std::make_unique<Reader>(*this, std::move(reader));
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

 private:
  class Reader final : public BlobReader {
   public:
    Reader(HeldBlobStore& store, std::unique_ptr<BlobReader> below)
        : store_(store), below_(std::move(below)) {}
    uint64_t size_bytes() const override { return below_->size_bytes(); }
    Result<size_t> Read(uint64_t offset, MutableBytes buffer) const override {
      store_.reading_ = true;
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (!store_.released_ && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      return below_->Read(offset, buffer);
    }
    Result<size_t> ReadCached(uint64_t, MutableBytes) const override { return size_t{0}; }

   private:
    HeldBlobStore& store_;
    const std::unique_ptr<BlobReader> below_;
  };

  BlobStore& below_;
  const std::string held_;
  std::atomic<bool> released_ = false;
  std::atomic<bool> reading_ = false;
};

}  // namespace outport::node
