#include "registry/storage/rocks/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace outport {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kDiskShare = 16;
constexpr uint64_t kRestoreAt = 4;  // times the size
constexpr uint64_t kAdmitAt = 2;    // times the size, without the ballast
constexpr std::chrono::seconds kRetryAfter{10};
constexpr mode_t kPrivate = 0600;
constexpr uint64_t kBlockBytes = 512;  // the unit of st_blocks

bool IsAllocated(const std::filesystem::path& file, uint64_t size_bytes) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return false;
  return static_cast<uint64_t>(status.st_size) == size_bytes &&
         static_cast<uint64_t>(status.st_blocks) * kBlockBytes >= size_bytes;
}

// Returns 0 or an error number.
int Allocate(const std::filesystem::path& file, uint64_t size_bytes) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPrivate);
  if (fd < 0) return errno;
  const int failed = ::posix_fallocate(fd, 0, static_cast<off_t>(size_bytes));
  ::close(fd);
  if (failed != 0) ::unlink(file.c_str());
  return failed;
}

Result<std::filesystem::space_info> SpaceOf(const std::filesystem::path& folder) {
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(folder, failed);
  if (!failed) return space;
  return Error{ErrorCode::kInternal,
               "reading the free space of " + folder.native() + ": " + failed.message()};
}

}  // namespace

std::unique_ptr<Ballast> Ballast::Open(Options options, const Log& log) {
  if (options.space == nullptr) {
    options.space = [folder = options.file.parent_path()] { return SpaceOf(folder); };
  }
  const Result<std::filesystem::space_info> space = options.space();
  const uint64_t share = space.has_value() ? space->capacity / kDiskShare : options.size_bytes;
  const uint64_t size_bytes = std::min(options.size_bytes, share);
  std::unique_ptr<Ballast> ballast(new Ballast(std::move(options), size_bytes, log));
  {
    MutexLock lock(ballast->mutex_);
    ballast->held_ = IsAllocated(ballast->options_.file, size_bytes);
  }
  static_cast<void>(ballast->Admit(MetaTransaction::Urgency::kMustPass));
  return ballast;
}

Result<void> Ballast::Admit(MetaTransaction::Urgency urgency) {
  const Result<std::filesystem::space_info> space = options_.space();
  if (!space.has_value()) return {};  // the write itself shows whether there is space
  const uint64_t free_bytes = space->available;
  MutexLock lock(mutex_);
  if (held_ && free_bytes < size_bytes_ / 2) GiveUp(free_bytes);
  if (!held_ && free_bytes >= kRestoreAt * size_bytes_) Restore(free_bytes);
  if (held_ || urgency == MetaTransaction::Urgency::kMustPass) return {};
  if (free_bytes >= kAdmitAt * size_bytes_) return {};
  return Error{ErrorCode::kNoSpace,
               "the disk is full: " + std::to_string(free_bytes) +
                   " bytes are free, and these are kept for deletions and for changes that take "
                   "access away; free space until " +
                   std::to_string(kAdmitAt * size_bytes_) + " bytes are free"};
}

void Ballast::GiveUp(uint64_t free_bytes) {
  if (::unlink(options_.file.c_str()) != 0 && errno != ENOENT) {
    log_.Warning("ballast not removed", {{"error", std::generic_category().message(errno)}});
  }
  held_ = false;
  was_given_up_ = true;
  log_.Warning("ballast given up: disk is full",
               {{"free_bytes", free_bytes}, {"size_bytes", size_bytes_}});
}

void Ballast::Restore(uint64_t free_bytes) {
  const auto now = steady_clock::now();
  if (failed_.has_value() && now < *failed_ + kRetryAfter) return;
  const int failed = Allocate(options_.file, size_bytes_);
  if (failed != 0) {
    failed_ = now;
    log_.Warning("ballast not allocated", {{"error", std::generic_category().message(failed)}});
    return;
  }
  held_ = true;
  if (was_given_up_) {
    log_.Info("ballast allocated", {{"free_bytes", free_bytes}, {"size_bytes", size_bytes_}});
  }
}

}  // namespace outport
