#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "registry/base/mutex.h"
#include "tests/support/forwarding_blob_store.h"

namespace outport::store {

// A BlobStore whose disk has a size that the test chooses. Uploads take space of it: what their
// writers have reserved or written.
class SmallUploadDisk final : public ForwardingBlobStore {
 public:
  // FreeBytes() is so slow that several threads are between a check and their writes.
  static constexpr std::chrono::milliseconds kSlow{1};

  SmallUploadDisk(BlobStore& bytes, uint64_t size_bytes)
      : ForwardingBlobStore(bytes), size_bytes_(size_bytes), lowest_(size_bytes) {}

  using ForwardingBlobStore::Create;
  Result<std::unique_ptr<BlobWriter>> Create(DigestAlgorithm algorithm,
                                             const std::string& name) override {
    TRY(std::unique_ptr<BlobWriter> writer, below().Create(algorithm, name));
    return std::make_unique<Writer>(std::move(writer), *this, name);
  }
  Result<void> Discard(const std::string& name) override {
    TRY_VOID(SetUsed(name, 0));
    return below().Discard(name);
  }
  Result<uint64_t> FreeBytes() override {
    const uint64_t free = Free();
    std::this_thread::sleep_for(kSlow);
    return free;
  }
  uint64_t Free() const {
    MutexLock lock(mutex_);
    return FreeNow();
  }
  // Returns the least that was free at any time.
  uint64_t Lowest() const {
    MutexLock lock(mutex_);
    return lowest_;
  }

 private:
  class Writer final : public BlobWriter {
   public:
    Writer(std::unique_ptr<BlobWriter> below, SmallUploadDisk& disk, std::string name)
        : below_(std::move(below)), disk_(disk), name_(std::move(name)) {}
    uint64_t size_bytes() const override { return below_->size_bytes(); }
    Result<void> Expect(uint64_t size) override {
      reserved_ = std::max(size, size_bytes());
      TRY_VOID(disk_.SetUsed(name_, reserved_));
      return below_->Expect(size);
    }
    Result<void> Append(Bytes bytes) override {
      TRY_VOID(disk_.SetUsed(name_, std::max(reserved_, size_bytes() + bytes.size())));
      return below_->Append(bytes);
    }
    size_t alignment() const override { return below_->alignment(); }
    Result<void> Checkpoint() override { return below_->Checkpoint(); }
    Result<uint64_t> Reread(uint64_t at_most) override { return below_->Reread(at_most); }
    Result<size_t> Read(uint64_t offset, MutableBytes buffer) const override {
      return below_->Read(offset, buffer);
    }
    Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const override {
      return below_->ReadCached(offset, buffer);
    }
    Digest Current(DigestAlgorithm algorithm) override { return below_->Current(algorithm); }
    const std::string& object() const override { return below_->object(); }
    Result<BlobLocation> Commit(const Digest& expected, SyncWhen sync) override {
      return below_->Commit(expected, sync);
    }

   private:
    const std::unique_ptr<BlobWriter> below_;
    SmallUploadDisk& disk_;
    const std::string name_;
    uint64_t reserved_ = 0;
  };

  uint64_t FreeNow() const OUTPORT_REQUIRES_LOCK(mutex_) {
    return size_bytes_ - std::min(size_bytes_, used_);
  }
  Result<void> SetUsed(const std::string& name, uint64_t bytes) {
    MutexLock lock(mutex_);
    uint64_t& of_upload = uploads_[name];
    if (used_ - of_upload + bytes > size_bytes_) {
      lowest_ = 0;
      return Error{ErrorCode::kNoSpace, "the small disk is full"};
    }
    used_ = used_ - of_upload + bytes;
    of_upload = bytes;
    lowest_ = std::min(lowest_, FreeNow());
    return {};
  }

  const uint64_t size_bytes_;
  mutable Mutex mutex_;
  std::map<std::string, uint64_t> uploads_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t used_ OUTPORT_GUARDED_BY(mutex_) = 0;
  uint64_t lowest_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
