#pragma once

#include <atomic>
#include <chrono>

#include "registry/base/clock.h"

namespace outport::store {

// A clock that only the test advances. Safe for several threads.
class ManualClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override {
    return std::chrono::hours(1) + std::chrono::nanoseconds(passed_.load());
  }
  std::chrono::system_clock::time_point Wall() const override {
    constexpr int64_t kStartMillis = 1'790'000'000'000;
    return FromUnixMillis(kStartMillis + (passed_.load() + stepped_.load()) / 1'000'000);
  }
  // Somebody sets the wall clock.
  void StepWall(std::chrono::nanoseconds by) { stepped_ += by.count(); }
  void Advance(std::chrono::nanoseconds time) { passed_ += time.count(); }

 private:
  std::atomic<int64_t> passed_ = 0;
  std::atomic<int64_t> stepped_ = 0;
};

}  // namespace outport::store
