#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport {

// The memory that File::BypassCache() can spare a copy is aligned like its place in the file to
// this.
inline constexpr size_t kDirectBytes = 4096;

// An open file. Every method may block. ReadAt is safe for several threads at once, the others for
// one at a time. Errors name the operation and the path.
class File {
 public:
  virtual ~File() = default;

  // Writes all of `bytes`.
  virtual Result<void> WriteAt(uint64_t offset, Bytes bytes) = 0;
  // Reads until `buffer` is full or the file ends; returns how much was read.
  virtual Result<size_t> ReadAt(uint64_t offset, MutableBytes buffer) const = 0;
  // Like ReadAt, but only what is in the page cache: less than asked for, 0 too, means that the
  // rest would have blocked (or the file ended). Never blocks on the disk.
  virtual size_t ReadCachedAt(uint64_t offset, MutableBytes buffer) const = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Drops what stands behind the first `size` bytes.
  virtual Result<void> Truncate(uint64_t size) = 0;
  // Reserves space for `size` bytes without changing the size: best effort, but a full disk is
  // told.
  virtual Result<void> Preallocate(uint64_t size) = 0;
  // A hint that nobody reads soon what is written from here on: it need not go through the page
  // cache. Large writes do not, where the file system can do so and the memory is aligned as the
  // offset is, to kDirectBytes. Readers see what was written all the same.
  virtual void BypassCache() = 0;
  // Asks the kernel to begin writing the range to the disk; promises nothing.
  virtual void StartWriteback(uint64_t offset, uint64_t size) = 0;
  // The bytes and the size survive a power cut from here on. After a failure the file must be
  // discarded: a second Sync may succeed without having written.
  virtual Result<void> Sync() = 0;
};

// The seam under everything that is written to disk by us (RocksDB has its own), so that a test can
// cut the power at any point. Safe for several threads; every method may block.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Makes a file for reading and writing, mode 0600; fails if it exists.
  virtual Result<std::unique_ptr<File>> Create(const std::filesystem::path& path) = 0;
  // kNotFound if there is none.
  virtual Result<std::unique_ptr<File>> OpenForRead(const std::filesystem::path& path) = 0;
  // For reading and writing; kNotFound if there is none.
  virtual Result<std::unique_ptr<File>> OpenForWrite(const std::filesystem::path& path) = 0;
  // Replaces `to`. Survives a power cut only after SyncDirectory of the parent of `to`.
  virtual Result<void> Rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  // A file that is not there is no error.
  virtual Result<void> Remove(const std::filesystem::path& path) = 0;
  // Makes the folder and its parents, mode 0700, each synced into its parent.
  virtual Result<void> CreateDirectories(const std::filesystem::path& path) = 0;
  virtual Result<void> SyncDirectory(const std::filesystem::path& path) = 0;
  // Names (not paths) of the files in a folder, in no order.
  virtual Result<std::vector<std::string>> List(const std::filesystem::path& path) = 0;
  virtual Result<uint64_t> FreeBytes(const std::filesystem::path& path) = 0;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Create(const std::filesystem::path& path) override;
  Result<std::unique_ptr<File>> OpenForRead(const std::filesystem::path& path) override;
  Result<std::unique_ptr<File>> OpenForWrite(const std::filesystem::path& path) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> List(const std::filesystem::path& path) override;
  Result<uint64_t> FreeBytes(const std::filesystem::path& path) override;
};

// The whole of a small file; kInvalidArgument if it is larger than `limit_bytes`.
Result<std::string> ReadWholeFile(const std::filesystem::path& path,
                                  uint64_t limit_bytes = 1 << 20);

// The same for a key: kFailedPrecondition, with the mend, if others than its owner may read it.
Result<std::string> ReadSecretFile(const std::filesystem::path& path,
                                   uint64_t limit_bytes = 1 << 20);

// kFailedPrecondition, with the mend, if others than its owner may look into the folder.
Result<void> CheckPrivateFolder(const std::filesystem::path& path);

// Whether ReplaceFile() could work at `path`, found by making its temporary and removing it: for
// those who must not fail after they have done something that cannot be undone. kFailedPrecondition
// names the file and the cause.
Result<void> CheckReplaceable(const std::filesystem::path& path);

// Replaces the file at once and durably (temporary, sync, rename, directory sync), with `mode`.
Result<void> ReplaceFile(const std::filesystem::path& path, std::string_view content,
                         unsigned mode = 0600);

// Holds DATA/lock while it lives, so that one process owns a data folder; the lock goes with the
// process, however it ends.
class FolderLock {
 public:
  // kFailedPrecondition, naming the folder and the owner's process id, if it is taken.
  static Result<FolderLock> Take(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace outport
