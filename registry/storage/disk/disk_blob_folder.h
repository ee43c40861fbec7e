#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "registry/base/file.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

// Whether the bytes of a new blob are read again soon: then they go by the page cache.
enum class BlobWrites { kCached, kDirect };

// The paths of a DiskBlobStore, how it writes, and which of its folders are known to be durable.
// Safe for several threads; what returns a Result<void> may block.
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

  // A name for a blob's object that was never given before.
  static std::string NewObject(const Digest& digest, const std::string& serial);
  // kCorrupt if it is not a name that NewObject gave.
  Result<std::filesystem::path> PathOf(const std::string& object) const;
  // Where an upload of that name is written; kInvalidArgument if no upload can have it.
  Result<std::filesystem::path> PendingPathOf(const std::string& name) const;
  std::filesystem::path QuarantineOf(const std::string& object) const;

  // Makes the folders that are always there, each durable.
  Result<void> Prepare();
  // Makes the folder that `path` stands in; its name survives a power cut from here on.
  Result<void> PrepareParent(const std::filesystem::path& path);

 private:
  FileSystem& files_;
  const BlobWrites writes_;
  const std::filesystem::path root_;
  const std::filesystem::path blobs_;
  const std::filesystem::path pending_;
  const std::filesystem::path quarantine_;
  Mutex mutex_;
  std::set<std::filesystem::path> durable_ OUTPORT_GUARDED_BY(mutex_);  // at most 256 an algorithm
};

}  // namespace outport
