#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport {

// After File::BypassCache(), a write can bypass the page cache if its buffer and its offset have
// the same remainder modulo this size.
inline constexpr size_t kDirectBytes = 4096;

// An open file. Every method may block. Several threads may call ReadAt() at once; every other
// method is for one thread at a time. Errors name the operation and the path.
class File {
 public:
  virtual ~File() = default;

  // Writes all of `bytes`.
  virtual Result<void> WriteAt(uint64_t offset, Bytes bytes) = 0;
  // Reads until `buffer` is full or the file ends; returns the number of bytes read.
  virtual Result<size_t> ReadAt(uint64_t offset, MutableBytes buffer) const = 0;
  // Like ReadAt(), but reads only from the page cache and never blocks on the disk. Returns fewer
  // bytes than requested, or 0, if the rest is not cached or the file ends.
  virtual size_t ReadCachedAt(uint64_t offset, MutableBytes buffer) const = 0;
  virtual Result<uint64_t> Size() const = 0;
  // Shortens the file to its first `size` bytes.
  virtual Result<void> Truncate(uint64_t size) = 0;
  // Reserves disk space for `size` bytes, but does not change the file's size. Fails only if the
  // disk is full; on a file system that cannot reserve space, the call does nothing.
  virtual Result<void> Preallocate(uint64_t size) = 0;
  // Tells the file that nobody will read the next writes soon. Large writes then bypass the page
  // cache if the file system supports direct writes and the write is aligned (see kDirectBytes).
  // Readers see the bytes in any case.
  virtual void BypassCache() = 0;
  // Asks the kernel to start writing the range to the disk. This does not make the bytes durable:
  // only Sync() does.
  virtual void StartWriteback(uint64_t offset, uint64_t size) = 0;
  // On success, the bytes and the size survive a power cut. After a failure, discard the file,
  // because a second Sync() may succeed although bytes were lost.
  virtual Result<void> Sync() = 0;
};

// All writes to disk go through this interface, except those of RocksDB, which has its own. So a
// test can simulate a power cut at any point. Safe for several threads. Every method may block.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates a file with mode 0600 and opens it for reading and writing. Fails if the file exists.
  virtual Result<std::unique_ptr<File>> Create(const std::filesystem::path& path) = 0;
  // kNotFound if the file does not exist.
  virtual Result<std::unique_ptr<File>> OpenForRead(const std::filesystem::path& path) = 0;
  // Opens a file for reading and writing. kNotFound if the file does not exist.
  virtual Result<std::unique_ptr<File>> OpenForWrite(const std::filesystem::path& path) = 0;
  // Renames `from` to `to` and replaces an existing `to`. The rename survives a power cut only
  // after SyncDirectory() of the folder that contains `to`.
  virtual Result<void> Rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  // Succeeds if the file does not exist.
  virtual Result<void> Remove(const std::filesystem::path& path) = 0;
  // Creates the folder and its missing parents with mode 0700. Syncs the parent of each new folder.
  virtual Result<void> CreateDirectories(const std::filesystem::path& path) = 0;
  // kNotFound if the folder does not exist.
  virtual Result<void> SyncDirectory(const std::filesystem::path& path) = 0;
  // Returns the names, not the paths, of the files in a folder, in no particular order.
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

// ReadWholeFile() for a private key. kFailedPrecondition if users other than the owner may read the
// file; the error says how to fix the mode.
Result<std::string> ReadSecretFile(const std::filesystem::path& path,
                                   uint64_t limit_bytes = 1 << 20);

// kFailedPrecondition if users other than the owner may read the folder; the error says how to fix
// the mode.
Result<void> CheckPrivateFolder(const std::filesystem::path& path);

// Tests whether ReplaceFile() can write `path`, by creating and removing the temporary file. Call
// this before an action that cannot be undone and whose result must then be written to `path`.
// kFailedPrecondition names the file and the cause.
Result<void> CheckReplaceable(const std::filesystem::path& path);

// Replaces the file atomically and durably. Writes and syncs a temporary file, renames it to
// `path`, and syncs the folder.
Result<void> ReplaceFile(const std::filesystem::path& path, std::string_view content,
                         unsigned mode = 0600);

// Locks DATA/lock, so that only one process uses a data folder. The destructor releases the lock.
// If the process dies first, the kernel releases the lock.
class FolderLock {
 public:
  // kFailedPrecondition if another process has the lock; the error names the folder and the id of
  // that process.
  static Result<FolderLock> Acquire(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace outport
