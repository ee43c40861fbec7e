#pragma once

#include <filesystem>
#include <memory>

#include "registry/base/file.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/disk/disk_blob_folder.h"

namespace outport {

// A BlobStore in a folder:
//
//   ROOT/blobs/<algorithm>/ab/<hex>.<n>   a committed blob; n is random for each commit
//   ROOT/<pending>/<name>                 a blob being written; removed at start, unless kept
//   ROOT/quarantine/<object, '/' as '_'>  an object that failed its checksum
//
// A commit syncs the file, renames it, and syncs the folder. A checkpoint syncs the file, and the
// first one also the folder. A file whose sync failed is discarded. Folders are created when first
// needed, and synced into their parent before an object in them counts as durable. The caller syncs
// the name of ROOT itself. The store outlives its writers; readers do not need it.
class DiskBlobStore final : public BlobStore {
 public:
  // `pending`: "uploads" at the store, "fetch" at a node. `writes`: kDirect at the store, which
  // does not read a new blob soon; kCached at a node, whose readers follow the fetch.
  static Result<std::unique_ptr<DiskBlobStore>> Open(FileSystem& files,
                                                     const std::filesystem::path& root,
                                                     std::string pending, BlobWrites writes);

  Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) override;
  Result<std::unique_ptr<BlobWriter>> Create(const Digest& digest) override;
  Result<std::unique_ptr<BlobWriter>> Create(DigestAlgorithm algorithm,
                                             const std::string& name) override;
  Result<std::unique_ptr<BlobWriter>> Resume(DigestAlgorithm algorithm, const std::string& name,
                                             uint64_t size_bytes) override;
  Result<uint64_t> UncommittedBytes(const std::string& name) override;
  Result<void> Discard(const std::string& name) override;
  Result<void> Sync(const std::string& object) override;
  Result<void> Remove(const std::string& object) override;
  Result<void> Quarantine(const std::string& object) override;
  Result<void> DiscardUncommitted(const std::set<std::string>& keep) override;
  Result<uint64_t> FreeBytes() override;

 private:
  DiskBlobStore(FileSystem& files, std::filesystem::path root, const std::string& pending,
                BlobWrites writes)
      : folder_(files, std::move(root), pending, writes) {}

  DiskBlobFolder folder_;
};

}  // namespace outport
