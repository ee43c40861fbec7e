#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport {

// After File::BypassCache(), writes go to the disk without a copy if their memory and their offset
// have the same alignment to this.
inline constexpr size_t kDirectBytes = 4096;

// An open file. Every method may block. ReadAt is safe for several threads at once, the others for
// one at a time. Errors name the operation and the path.
class File {
 public:
  virtual ~File() = default;

  // Writes all of `bytes`.
  virtual Result<void> WriteAt(uint64_t offset, Bytes bytes) = 0;
  // Reads until `buffer` is full or the file ends; returns the number of bytes read.
  virtual Result<size_t> ReadAt(uint64_t offset, MutableBytes buffer) const = 0;
  // ReadAt() from the page cache alone; never blocks on the disk. Fewer bytes, or 0: the rest is
  // not cached, or the file ended.
  virtual size_t ReadCachedAt(uint64_t offset, MutableBytes buffer) const = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Keeps the first `size` bytes.
  virtual Result<void> Truncate(uint64_t size) = 0;
  // Reserves space for `size` bytes without changing the size. Best effort; fails only if the disk
  // is full.
  virtual Result<void> Preallocate(uint64_t size) = 0;
  // A hint that later writes will not be read soon. Large writes then bypass the page cache, if the
  // file system supports it and memory and offset are aligned (kDirectBytes). Readers see the bytes
  // in any case.
  virtual void BypassCache() = 0;
  // Asks the kernel to start writing the range to the disk. Guarantees nothing.
  virtual void StartWriteback(uint64_t offset, uint64_t size) = 0;
  // On success, the bytes and the size survive a power cut. After a failure, discard the file: a
  // second Sync may succeed although the bytes were lost.
  virtual Result<void> Sync() = 0;
};

// All our writes to disk go through this interface (RocksDB has its own), so that a test can
// simulate a power cut at any point. Safe for several threads; every method may block.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates a file for reading and writing, mode 0600; fails if it exists.
  virtual Result<std::unique_ptr<File>> Create(const std::filesystem::path& path) = 0;
  // kNotFound if the file does not exist.
  virtual Result<std::unique_ptr<File>> OpenForRead(const std::filesystem::path& path) = 0;
  // For reading and writing; kNotFound if the file does not exist.
  virtual Result<std::unique_ptr<File>> OpenForWrite(const std::filesystem::path& path) = 0;
  // Replaces `to`. The rename survives a power cut only after SyncDirectory() of the parent of
  // `to`.
  virtual Result<void> Rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  // Succeeds if the file does not exist.
  virtual Result<void> Remove(const std::filesystem::path& path) = 0;
  // Creates the folder and its parents, mode 0700, and syncs the parent of each.
  virtual Result<void> CreateDirectories(const std::filesystem::path& path) = 0;
  virtual Result<void> SyncDirectory(const std::filesystem::path& path) = 0;
  // The names (not paths) of the files in a folder, unsorted.
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

// Reads a whole small file; kInvalidArgument if it is larger than `limit_bytes`.
Result<std::string> ReadWholeFile(const std::filesystem::path& path,
                                  uint64_t limit_bytes = 1 << 20);

// ReadWholeFile() for a private key. kFailedPrecondition, with the fix, if users other than the
// owner may read the file.
Result<std::string> ReadSecretFile(const std::filesystem::path& path,
                                   uint64_t limit_bytes = 1 << 20);

// kFailedPrecondition, with the fix, if users other than the owner may read the folder.
Result<void> CheckPrivateFolder(const std::filesystem::path& path);

// Tests whether ReplaceFile() can work at `path`: creates and removes its temporary file. Call it
// before an action that cannot be undone if ReplaceFile() must succeed afterwards.
// kFailedPrecondition names the file and the cause.
Result<void> CheckReplaceable(const std::filesystem::path& path);

// Replaces the file atomically and durably: temporary file, sync, rename, sync of the folder.
Result<void> ReplaceFile(const std::filesystem::path& path, std::string_view content,
                         unsigned mode = 0600);

// Locks DATA/lock, so that only one process uses a data folder. The destructor releases the lock;
// the system does when the process ends.
class FolderLock {
 public:
  // kFailedPrecondition, with the folder and the owner's process id, if another process has it.
  static Result<FolderLock> Acquire(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace outport
