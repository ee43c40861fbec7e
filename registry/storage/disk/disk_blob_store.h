#pragma once

#include <filesystem>
#include <memory>

#include "registry/base/file.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/disk/disk_blob_folder.h"

namespace outport {

// A BlobStore that keeps its files in one folder:
//
//   ROOT/blobs/<algorithm>/ab/<hex>.<n>   a committed blob; n is random for each commit
//   ROOT/<pending>/<name>                 an uncommitted blob or an upload
//   ROOT/quarantine/<object, '/' as '_'>  an object that failed its checksum
//
// A commit syncs the file, renames it, and syncs the folder. A removal syncs each folder once. A
// checkpoint syncs the file, and the first one also the folder. A file whose sync failed is
// discarded. The store creates a folder when it first needs the folder, and syncs the folder's name
// before an object in the folder counts as durable. The caller syncs the name of ROOT itself. The
// store outlives its writers. Readers may outlive the store.
class DiskBlobStore final : public BlobStore {
 public:
  // `pending` is "uploads" at the store and "fetch" at a node. `writes` is kDirect at the store,
  // which does not read a new blob soon. It is kCached at a node, because readers follow the fetch.
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
  Result<void> Remove(std::span<const std::string> objects, BlobWriter::SyncWhen sync) override;
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
