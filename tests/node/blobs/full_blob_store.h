#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/forwarding_blob_store.h"

namespace outport::node {

// A BlobStore over another one, with a full disk: a writer can append `room_bytes`, and then gets
// the error that `full` returns or throws.
class FullBlobStore final : public ForwardingBlobStore {
 public:
  using Full = std::function<Error()>;
  static Error NoSpace() { return Error{ErrorCode::kNoSpace, "the disk is full"}; }

  FullBlobStore(BlobStore& below, uint64_t room_bytes, Full full = NoSpace)
      : ForwardingBlobStore(below), room_bytes_(room_bytes), full_(std::move(full)) {}

  using ForwardingBlobStore::Create;
  Result<std::unique_ptr<BlobWriter>> Create(const Digest& digest) override {
    TRY(std::unique_ptr<BlobWriter> writer, below().Create(digest));
    return std::make_unique<Writer>(std::move(writer), room_bytes_, full_);
  }
  // If there is some space at first, the disk fills up only later.
  Result<uint64_t> FreeBytes() override { return room_bytes_ == 0 ? 0 : uint64_t{1} << 40; }

 private:
  class Writer final : public BlobWriter {
   public:
    Writer(std::unique_ptr<BlobWriter> below, uint64_t room_bytes, Full full)
        : below_(std::move(below)), room_bytes_(room_bytes), full_(std::move(full)) {}
    uint64_t size_bytes() const override { return below_->size_bytes(); }
    Result<void> Expect(uint64_t size) override {
      // If there is some space at first, the disk fills up only later.
      if (room_bytes_ == 0) return full_();
      return below_->Expect(size);
    }
    Result<void> Append(Bytes bytes) override {
      if (below_->size_bytes() + bytes.size() > room_bytes_) return full_();
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
    const uint64_t room_bytes_;
    const Full full_;
  };

  const uint64_t room_bytes_;
  const Full full_;
};

}  // namespace outport::node
