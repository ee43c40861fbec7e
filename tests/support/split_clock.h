#pragma once

#include <atomic>
#include <chrono>

#include "registry/base/clock.h"

namespace outport::store {

// A clock whose wall time and time since boot move independently. Safe for several threads.
class SplitClock final : public Clock {
 public:
  static constexpr int64_t kStartMs = 1'790'000'000'000;

  std::chrono::nanoseconds SinceBoot() const override {
    return std::chrono::nanoseconds(boot_ns_.load());
  }
  std::chrono::system_clock::time_point Wall() const override {
    return FromUnixMillis(kStartMs) + std::chrono::nanoseconds(wall_ns_.load());
  }
  int64_t WallMs() const { return ToUnixMillis(Wall()); }

  // Time passes.
  void Pass(std::chrono::nanoseconds time) {
    boot_ns_ += time.count();
    wall_ns_ += time.count();
  }
  // Somebody sets the wall clock.
  void StepWall(std::chrono::nanoseconds by) { wall_ns_ += by.count(); }
  // The machine starts again, `off` later. The store continues `up` after that start.
  void Reboot(std::chrono::nanoseconds off, std::chrono::nanoseconds up = std::chrono::seconds(9)) {
    wall_ns_ += (off + up).count();
    boot_ns_ = up.count();
  }

 private:
  std::atomic<int64_t> boot_ns_ = 3'600'000'000'000;
  std::atomic<int64_t> wall_ns_ = 0;
};

}  // namespace outport::store
