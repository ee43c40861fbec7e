#include "registry/http/webroot.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "registry/base/error.h"

namespace outport {
namespace {

// O_NONBLOCK: to open a FIFO does not wait for its writer.
constexpr int kFileFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Closes its descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Descriptor OpenByKernel(const Descriptor& folder, const std::string& path) {
  open_how how{};
  how.flags = kFileFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return Descriptor(
      static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof(how))));
}

Descriptor OpenByName(const Descriptor& folder, const std::vector<std::string>& names) {
  Descriptor found(::openat(folder.get(), ".", kFolderFlags));
  for (size_t i = 0; i < names.size() && found.get() >= 0; ++i) {
    const int flags = i + 1 < names.size() ? kFolderFlags : kFileFlags;
    found = Descriptor(::openat(found.get(), names[i].c_str(), flags));
  }
  return found;
}

// Returns the error of a failed open(). A symbolic link is ELOOP, or ENOTDIR for a folder.
Error NotOpened(const std::string& path) {
  const int cause = errno;
  Error error = ErrnoError(cause, "opening", path);
  const bool is_absent = cause == ENOENT || cause == ELOOP || cause == ENOTDIR;
  if (is_absent) error.code = ErrorCode::kNotFound;
  return error;
}

Result<std::string> ReadFile(const Descriptor& file, const std::string& path, uint64_t limit) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return ErrnoError(errno, "reading", path);
  if (!S_ISREG(status.st_mode)) {
    return Error{ErrorCode::kNotFound, path + " is not a regular file"};
  }
  std::string content(limit + 1, '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t part = ::read(file.get(), content.data() + size, content.size() - size);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return ErrnoError(errno, "reading", path);
    if (part == 0) break;
    size += static_cast<size_t>(part);
  }
  if (size > limit) {
    return Error{ErrorCode::kInvalidArgument,
                 path + " is larger than " + std::to_string(limit) + " bytes"};
  }
  content.resize(size);
  return content;
}

}  // namespace

Result<std::string> ReadBeneath(const std::filesystem::path& folder,
                                const std::vector<std::string>& names, uint64_t limit_bytes,
                                Lookup lookup) {
  const Descriptor root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0) return NotOpened(folder.native());
  std::string below;
  for (const std::string& name : names) below += (below.empty() ? "" : "/") + name;
  const std::string path = (folder / below).native();
  Descriptor file(-1);
  errno = ENOSYS;
  if (lookup == Lookup::kByKernel) file = OpenByKernel(root, below);
  // A container's filter answers EPERM.
  const bool lacks_call = file.get() < 0 && (errno == ENOSYS || errno == EPERM);
  if (lacks_call) file = OpenByName(root, names);
  if (file.get() >= 0) return ReadFile(file, path, limit_bytes);
  return NotOpened(path);
}

}  // namespace outport
