#pragma once

#include <atomic>
#include <chrono>

#include "registry/base/clock.h"

namespace outport {

// The machine's clock with an offset that the test sets.
class ShiftedClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override {
    return SystemClock().SinceBoot() + shift_.load();
  }
  std::chrono::system_clock::time_point Wall() const override {
    return SystemClock().Wall() + shift_.load();
  }
  void Advance(std::chrono::seconds by) { shift_ = shift_.load() + by; }

 private:
  std::atomic<std::chrono::seconds> shift_{std::chrono::seconds(0)};
};

}  // namespace outport
