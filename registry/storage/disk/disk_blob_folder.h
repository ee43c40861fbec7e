#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "registry/base/file.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

// The way to write the bytes of a new blob. kCached writes through the kernel's page cache, for
// bytes that are read again soon. kDirect bypasses the page cache.
enum class BlobWrites { kCached, kDirect };

// Knows the paths of a DiskBlobStore, how the store writes, and which folders are already synced.
// Safe for several threads. Methods that return a Result<void> may block.
class DiskBlobFolder {
 public:
  DiskBlobFolder(FileSystem& files, std::filesystem::path root, const std::string& pending,
                 BlobWrites writes)
      : files_(files),
        writes_(writes),
        root_(std::move(root)),
        blobs_(root_ / "blobs"),
        pending_(root_ / pending),
        quarantine_(root_ / "quarantine") {}

  FileSystem& files() const { return files_; }
  BlobWrites writes() const { return writes_; }
  const std::filesystem::path& root() const { return root_; }
  const std::filesystem::path& pending() const { return pending_; }

  // Returns the name of a blob's object. The name is new if `serial` is new.
  static std::string NewObject(const Digest& digest, const std::string& serial);
  // Returns the path of a committed object. kCorrupt if the name does not have the format of
  // NewObject().
  Result<std::filesystem::path> PathOf(const std::string& object) const;
  // Returns the path of an upload in progress. kInvalidArgument if `name` is not a valid name of an
  // upload.
  Result<std::filesystem::path> PendingPathOf(const std::string& name) const;
  std::filesystem::path QuarantineOf(const std::string& object) const;

  // Creates and syncs the folders that every store has.
  Result<void> Prepare();
  // Creates the parent folder of `path`, if it does not exist, and syncs its name. So the folder
  // survives a power cut.
  Result<void> PrepareParent(const std::filesystem::path& path);

 private:
  FileSystem& files_;
  const BlobWrites writes_;
  const std::filesystem::path root_;
  const std::filesystem::path blobs_;
  const std::filesystem::path pending_;
  const std::filesystem::path quarantine_;
  Mutex mutex_;
  std::set<std::filesystem::path> durable_ OUTPORT_GUARDED_BY(mutex_);  // 256 for each algorithm
};

}  // namespace outport
