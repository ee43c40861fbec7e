#include "registry/base/clock.h"

#include <time.h>

#include <fstream>

namespace outport {

std::chrono::nanoseconds SystemClock::SinceBoot() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::chrono::system_clock::time_point SystemClock::Wall() const {
  return std::chrono::system_clock::now();
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

std::string FormatTime(std::chrono::system_clock::time_point time) {
  const int64_t millis = ToUnixMillis(time);
  const time_t seconds = millis / 1000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[80];
  snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
           utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
           static_cast<int>(millis % 1000));
  return text;
}

}  // namespace outport
