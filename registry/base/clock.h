#pragma once

#include <chrono>
#include <string>

namespace outport {

// The source of time; tests replace it. Safe for several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  // The time since boot, including the time while the machine was suspended (CLOCK_BOOTTIME). It
  // never goes back.
  virtual std::chrono::nanoseconds SinceBoot() const = 0;
  // The wall-clock time. It can jump forwards or backwards when an administrator sets the clock.
  virtual std::chrono::system_clock::time_point Wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override;
  std::chrono::system_clock::time_point Wall() const override;
};

// The id of this boot of the kernel (/proc/sys/kernel/random/boot_id). If a file was written under
// another boot id and not synced, its bytes may be lost.
std::string BootId();

// Formats a time like "2026-11-20T18:49:06.123Z" (RFC 3339, UTC, with milliseconds).
std::string FormatTime(std::chrono::system_clock::time_point time);

inline int64_t ToUnixMillis(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
inline std::chrono::system_clock::time_point FromUnixMillis(int64_t millis) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(millis));
}

}  // namespace outport
