#include "registry/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace outport {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
constexpr size_t kMinDirectBytes = 64 << 10;  // below this, the page cache is faster

// The bytes [begin, end) of a write that can bypass the page cache. May be empty.
struct DirectPart {
  size_t begin = 0;
  size_t end = 0;
};

DirectPart FindDirectPart(uint64_t offset, Bytes bytes) {
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  if ((address - offset) % kDirectBytes != 0) return {};
  const size_t begin = (kDirectBytes - offset % kDirectBytes) % kDirectBytes;
  if (bytes.size() < begin + kMinDirectBytes) return {};
  return {begin, bytes.size() - (bytes.size() - begin) % kDirectBytes};
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override {
    ::close(fd_);
    if (direct_fd_ >= 0) ::close(direct_fd_);
  }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<void> WriteAt(uint64_t offset, Bytes bytes) override {
    if (direct_fd_ < 0) return WriteTo(fd_, offset, bytes);
    // Write the bytes before and after the whole pages through the cache, so that each page is
    // written in only one way.
    const DirectPart direct = FindDirectPart(offset, bytes);
    TRY_VOID(WriteTo(fd_, offset, bytes.first(direct.begin)));
    TRY_VOID(WriteTo(direct_fd_, offset + direct.begin,
                     bytes.subspan(direct.begin, direct.end - direct.begin)));
    return WriteTo(fd_, offset + direct.end, bytes.subspan(direct.end));
  }

  Result<size_t> ReadAt(uint64_t offset, MutableBytes buffer) const override {
    size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t n = ::pread(fd_, buffer.data() + done, buffer.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, "reading", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  size_t ReadCachedAt(uint64_t offset, MutableBytes buffer) const override {
    size_t done = 0;
    while (done < buffer.size()) {
      const iovec part{buffer.data() + done, buffer.size() - done};
      const ssize_t n = ::preadv2(fd_, &part, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<uint64_t> Size() const override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return ErrnoError(errno, "reading the size of", path_);
    return static_cast<uint64_t>(status.st_size);
  }

  Result<void> Truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
      return ErrnoError(errno, "truncating", path_);
    }
    return {};
  }

  Result<void> Preallocate(uint64_t size) override {
    // Compare with the free space first. As root, fallocate() could also take the blocks that the
    // file system reserves for root, which FreeBytes() does not count.
    struct stat status{};
    struct statvfs disk{};
    if (::fstat(fd_, &status) == 0 && ::fstatvfs(fd_, &disk) == 0) {
      const uint64_t held = uint64_t{512} * static_cast<uint64_t>(status.st_blocks);
      if (size > held && size - held > uint64_t{disk.f_bavail} * disk.f_frsize) {
        return ErrnoError(ENOSPC, "reserving space for", path_);
      }
    }
    if (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) == 0) return {};
    if (errno == ENOSPC || errno == EDQUOT) return ErrnoError(errno, "reserving space for", path_);
    return {};  // the file system does not support fallocate
  }

  void BypassCache() override {
    if (direct_fd_ < 0) direct_fd_ = ::open(path_.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
  }

  void StartWriteback(uint64_t offset, uint64_t size) override {
    ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size),
                      SYNC_FILE_RANGE_WRITE);
  }

  Result<void> Sync() override {
    if (::fdatasync(fd_) != 0) return ErrnoError(errno, "syncing", path_);
    return {};
  }

 private:
  Result<void> WriteTo(int fd, uint64_t offset, Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      // If the file system rejects O_DIRECT for this write, or writes only a part, write the rest
      // through the page cache.
      const bool rejected = fd == direct_fd_ && n < 0 && errno == EINVAL;
      if (n < 0 && !rejected) return ErrnoError(errno, "writing", path_);
      if (fd == direct_fd_) fd = fd_;
      if (rejected) continue;
      offset += static_cast<uint64_t>(n);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  const int fd_;
  int direct_fd_ = -1;  // the same file, opened with O_DIRECT; -1: not open
  const std::string path_;
};

Result<std::unique_ptr<File>> OpenExisting(const fs::path& path, int mode) {
  const int fd = ::open(path.c_str(), mode | O_CLOEXEC);
  if (fd < 0) {
    Error error = ErrnoError(errno, "opening", path.native());
    if (errno == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  return std::make_unique<PosixFile>(fd, path.native());
}

fs::path TemporaryOf(const fs::path& path) { return path.native() + ".new"; }

// Adds a fix to the error for an unreadable file that the configuration or the command line names.
Error WithFix(Error error, const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    return Error{ErrorCode::kInvalidArgument, path.native() + " is a folder; name a file"};
  }
  if (::access(path.c_str(), R_OK) != 0 && errno == EACCES) {
    error.message += "; run this as the user that owns the file, or give the file to this user";
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::Create(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
  if (fd < 0) return ErrnoError(errno, "creating", path.native());
  return std::make_unique<PosixFile>(fd, path.native());
}

Result<std::unique_ptr<File>> PosixFileSystem::OpenForRead(const fs::path& path) {
  return OpenExisting(path, O_RDONLY);
}

Result<std::unique_ptr<File>> PosixFileSystem::OpenForWrite(const fs::path& path) {
  return OpenExisting(path, O_RDWR);
}

Result<void> PosixFileSystem::Rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoError(errno, "renaming", from.native() + " to " + to.native());
  }
  return {};
}

Result<void> PosixFileSystem::Remove(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError(errno, "removing", path.native());
  }
  return {};
}

Result<void> PosixFileSystem::CreateDirectories(const fs::path& path) {
  if (::mkdir(path.c_str(), kFolderMode) == 0) {
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    return SyncDirectory(parent);
  }
  const int error_number = errno;
  std::error_code ignored;
  // Some file systems, like /proc, allow no new files and return ENOENT although the parent exists.
  const bool parent_missing = error_number == ENOENT && path.has_parent_path() &&
                              !fs::is_directory(path.parent_path(), ignored);
  if (parent_missing) {
    TRY_VOID(CreateDirectories(path.parent_path()));
    return CreateDirectories(path);
  }
  if (error_number == EEXIST && fs::is_directory(path, ignored)) return {};
  return ErrnoError(error_number, "making the folder", path.native());
}

Result<void> PosixFileSystem::SyncDirectory(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    const int error_number = errno;
    Error error = ErrnoError(error_number, "opening the folder", path.native());
    if (error_number == ENOENT) error.code = ErrorCode::kNotFound;
    return error;
  }
  const int status = ::fsync(fd);
  const int error_number = errno;
  ::close(fd);
  if (status != 0) return ErrnoError(error_number, "syncing the folder", path.native());
  return {};
}

Result<std::vector<std::string>> PosixFileSystem::List(const fs::path& path) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().native());
  }
  if (error) return ErrnoError(error.value(), "listing", path.native());
  return names;
}

Result<uint64_t> PosixFileSystem::FreeBytes(const fs::path& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) {
    return ErrnoError(errno, "reading the free space of", path.native());
  }
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<std::string> ReadWholeFile(const fs::path& path, uint64_t limit_bytes) {
  PosixFileSystem files;
  const auto file = files.OpenForRead(path);
  if (!file.has_value()) return WithFix(file.error(), path);
  std::string content(limit_bytes + 1, '\0');
  const auto read = (*file)->ReadAt(0, std::as_writable_bytes(std::span(content)));
  if (!read.has_value()) return WithFix(read.error(), path);
  const size_t size = *read;
  if (size > limit_bytes) {
    return Error{ErrorCode::kInvalidArgument,
                 path.native() + " is larger than " + std::to_string(limit_bytes) + " bytes"};
  }
  content.resize(size);
  return content;
}

Result<std::string> ReadSecretFile(const fs::path& path, uint64_t limit_bytes) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    return Error{ErrorCode::kFailedPrecondition,
                 path.native() + " is readable by other users; run chmod 600 " + path.native() +
                     ", and replace its content if others could log in to this machine"};
  }
  return ReadWholeFile(path, limit_bytes);
}

Result<void> CheckPrivateFolder(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & 077) == 0) return {};
  return Error{
      ErrorCode::kFailedPrecondition,
      path.native() +
          " is accessible to other users, who could have replaced its keys; run chmod 700 " +
          path.native() + ", and check its content if others could log in to this machine"};
}

Result<void> CheckReplaceable(const fs::path& path) {
  PosixFileSystem files;
  std::error_code ignored;
  const fs::path temporary = TemporaryOf(path);
  Result<void> made = files.Remove(temporary);
  if (made.has_value()) {
    const auto file = files.Create(temporary);
    made = file.has_value() ? files.Remove(temporary) : file.error();
  }
  if (made.has_value() && fs::is_directory(path, ignored))
    made = ErrnoError(EISDIR, "writing", path.native());
  if (made.has_value()) return {};
  return Error{ErrorCode::kFailedPrecondition,
               path.native() + " cannot be written (" + made.error().message + ")"};
}

Result<void> ReplaceFile(const fs::path& path, std::string_view content, unsigned mode) {
  PosixFileSystem files;
  const fs::path temporary = TemporaryOf(path);
  TRY_VOID(files.Remove(temporary));
  {
    TRY(const auto file, files.Create(temporary));
    TRY_VOID(file->WriteAt(0, AsBytes(content)));
    if (::chmod(temporary.c_str(), mode) != 0) {
      return ErrnoError(errno, "setting the mode of", temporary.native());
    }
    TRY_VOID(file->Sync());
  }
  TRY_VOID(files.Rename(temporary, path));
  return files.SyncDirectory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<FolderLock> FolderLock::Acquire(const fs::path& folder) {
  const fs::path path = folder / "lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
  if (fd < 0) return ErrnoError(errno, "opening", path.native());
  FolderLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    const ssize_t n = ::pread(fd, owner, sizeof(owner) - 1, 0);
    return Error{ErrorCode::kFailedPrecondition,
                 "the data folder " + folder.native() + " is in use by process " +
                     (n > 0 ? owner : "(unknown)") + "; stop this process, or use another folder"};
  }
  const std::string self = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, self.data(), self.size(), 0) < 0) {
    return ErrnoError(errno, "writing", path.native());
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace outport
