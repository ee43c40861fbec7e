#include "registry/storage/disk_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "registry/base/repeat.h"

namespace outport {
namespace {

constexpr std::chrono::seconds kPeriod{1};
constexpr uint64_t kMebibyte = 1 << 20;

std::string SizeText(uint64_t bytes) {
  if (bytes < 10 * kMebibyte) return std::to_string(bytes) + " bytes";
  return std::to_string(bytes / kMebibyte) + " MiB";
}

}  // namespace

DiskLimits ReadDiskLimits(Settings section) {
  DiskLimits limits;
  limits.headroom_bytes = section.Size("headroom", limits.headroom_bytes);
  const uint64_t twice = std::min<uint64_t>(limits.headroom_bytes, INT64_MAX / 2) * 2;
  limits.warn_below_bytes = section.Size("warn_below", twice);
  if (limits.warn_below_bytes == 0 || limits.warn_below_bytes >= limits.headroom_bytes) {
    return limits;
  }
  section.AddProblem("warn_below", "must be at least disk.headroom (" +
                                       std::to_string(limits.headroom_bytes) +
                                       " bytes), or 0 for no early warning");
  return limits;
}

DiskWatch::DiskWatch(Parts parts)
    : parts_(std::move(parts)),
      free_bytes_(parts_.metrics.Gauge("outport_disk_free_bytes",
                                       "Free bytes on the file system of the data folder.")),
      nearly_full_(parts_.metrics.Gauge(
          "outport_disk_nearly_full",
          "1 while less than disk.warn_below is free on the file system of the data folder.")) {}

net::awaitable<void> DiskWatch::FollowUntilCancelled() {
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, [this] { Check(); });
}

void DiskWatch::Check() {
  const Result<uint64_t> free_bytes = parts_.free_bytes();
  if (!free_bytes.has_value()) {
    MutexLock lock(mutex_);
    warning_ = "the free space of " + parts_.disk + " is unknown: " + free_bytes.error().message;
    return;
  }
  const State state = StateAt(*free_bytes);
  free_bytes_.Set(static_cast<double>(*free_bytes));
  nearly_full_.Set(state == State::kEnough ? 0 : 1);
  State before = state;
  {
    MutexLock lock(mutex_);
    before = std::exchange(state_, state);
    warning_.reset();
    if (state != State::kEnough) warning_ = Describe(state, *free_bytes);
  }
  if (state == before) return;
  switch (state) {
    case State::kEnough:
      return parts_.log.Info("disk has enough space", {{"free_bytes", *free_bytes}});
    case State::kNearlyFull:
      return parts_.log.Warning("disk nearly full", {{"free_bytes", *free_bytes}});
    case State::kFull:
      return parts_.log.Error("disk full up to the headroom", {{"free_bytes", *free_bytes}});
  }
}

DiskWatch::State DiskWatch::StateAt(uint64_t free_bytes) const {
  if (free_bytes < parts_.limits.headroom_bytes) return State::kFull;
  return free_bytes < parts_.limits.warn_below_bytes ? State::kNearlyFull : State::kEnough;
}

std::string DiskWatch::Describe(State state, uint64_t free_bytes) const {
  const std::string headroom = "disk.headroom (" + SizeText(parts_.limits.headroom_bytes) + ")";
  const std::string free = parts_.disk + " is " +
                           (state == State::kFull ? "full: " : "nearly full: ") +
                           SizeText(free_bytes) + " are free, ";
  const std::string fix = "; free space, or enlarge the disk";
  if (state == State::kFull) return free + "less than " + headroom + ": " + parts_.effect + fix;
  return free + "less than disk.warn_below (" + SizeText(parts_.limits.warn_below_bytes) +
         "); below " + headroom + " " + parts_.effect + fix;
}

std::optional<std::string> DiskWatch::Warning() const {
  MutexLock lock(mutex_);
  return warning_;
}

}  // namespace outport
