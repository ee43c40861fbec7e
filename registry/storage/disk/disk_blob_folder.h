#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "registry/base/file.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

// How the bytes of a new blob are written: through the page cache, if they are read again soon, or
// past it.
enum class BlobWrites { kCached, kDirect };

// The paths of a DiskBlobStore, how it writes, and which of its folders are already synced. Safe
// for several threads. Methods that return a Result<void> may block.
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

  // Returns the name of a blob's object. It is fresh if `serial` is.
  static std::string NewObject(const Digest& digest, const std::string& serial);
  // Returns the path of a committed object. kCorrupt if NewObject does not return such a name.
  Result<std::filesystem::path> PathOf(const std::string& object) const;
  // Returns the path of an upload in progress. kInvalidArgument if no upload can have the name.
  Result<std::filesystem::path> PendingPathOf(const std::string& name) const;
  std::filesystem::path QuarantineOf(const std::string& object) const;

  // Creates and syncs the folders that always exist.
  Result<void> Prepare();
  // Creates the parent folder of `path`, if needed. Its name survives a power cut from then on.
  Result<void> PrepareParent(const std::filesystem::path& path);

 private:
  FileSystem& files_;
  const BlobWrites writes_;
  const std::filesystem::path root_;
  const std::filesystem::path blobs_;
  const std::filesystem::path pending_;
  const std::filesystem::path quarantine_;
  Mutex mutex_;
  std::set<std::filesystem::path> durable_ OUTPORT_GUARDED_BY(mutex_);  // at most 256 per algorithm
};

}  // namespace outport
