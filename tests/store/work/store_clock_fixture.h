#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "store/work/store_clock.h"
#include "tests/support/memory_meta_store.h"
#include "tests/support/split_clock.h"

namespace outport::store {

// A store clock over a clock that the test moves.
class StoreClockTest : public testing::Test {
 protected:
  StoreClockTest() { Start(); }

  void Start() {
    store_clock_.emplace(clock_, boot_id_);
    ASSERT_TRUE(store_clock_->Load(meta_).has_value());
  }
  void Save() { ASSERT_TRUE(store_clock_->Save(meta_).has_value()); }
  void SaveAtStop() {
    ASSERT_TRUE(store_clock_->Save(meta_, std::chrono::milliseconds(0)).has_value());
  }
  void Accept() { ASSERT_TRUE(store_clock_->Accept(meta_).has_value()); }
  void Reboot(std::chrono::nanoseconds off) {
    clock_.Reboot(off);
    boot_id_ += "'";
    Start();
  }
  // The time since the start of the test.
  std::chrono::milliseconds Now() {
    return std::chrono::milliseconds(store_clock_->NowMs() - SplitClock::kStartMs);
  }
  bool Jumped() { return store_clock_->Jump().has_value(); }
  std::optional<std::chrono::nanoseconds> SinceStep() { return store_clock_->SinceStep(); }

  SplitClock clock_;
  MemoryMetaStore meta_;
  std::string boot_id_ = "boot";
  std::optional<StoreClock> store_clock_;
};

}  // namespace outport::store
