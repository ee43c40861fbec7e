#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/forwarding_blob_store.h"

namespace outport::node {

// A BlobStore over another one. Reads of one object wait until the test releases them.
class HeldBlobStore final : public ForwardingBlobStore {
 public:
  HeldBlobStore(BlobStore& below, std::string held)
      : ForwardingBlobStore(below), held_(std::move(held)) {}

  void Release() { released_ = true; }
  bool IsReading() const { return reading_; }

  Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) override {
    TRY(std::unique_ptr<BlobReader> reader, below().Open(location));
    if (location.object != held_) return reader;
    return std::make_unique<Reader>(*this, std::move(reader));
  }

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

  const std::string held_;
  std::atomic<bool> released_ = false;
  std::atomic<bool> reading_ = false;
};

}  // namespace outport::node
