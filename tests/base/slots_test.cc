#include "registry/base/slots.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace outport {
namespace {

TEST(Slots, AreAcquiredUpToTheCapacity) {
  Slots slots(2);
  std::optional<Slots::Slot> first = slots.Acquire();
  const std::optional<Slots::Slot> second = slots.Acquire();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->rank(), 0u);
  EXPECT_EQ(second->rank(), 1u);
  EXPECT_FALSE(slots.Acquire().has_value());
  first.reset();
  EXPECT_TRUE(slots.Acquire().has_value());
}

TEST(Slots, AMovedSlotIsReleasedOnce) {
  Metrics metrics;
  prometheus::Gauge& in_use = metrics.Gauge("in_use", "Slots in use.");
  Slots slots(1, &in_use);
  {
    std::optional<Slots::Slot> slot = slots.Acquire();
    ASSERT_TRUE(slot.has_value());
    const Slots::Slot moved = *std::move(slot);
    slot.reset();
    EXPECT_EQ(in_use.Value(), 1);
    EXPECT_FALSE(slots.Acquire().has_value());
  }
  EXPECT_EQ(in_use.Value(), 0);
  EXPECT_TRUE(slots.Acquire().has_value());
}

TEST(Slots, AFreeSlotIsNeverRejected) {
  constexpr size_t kThreads = 4;
  Slots slots(kThreads);
  std::atomic<size_t> rejected = 0;
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&slots, &rejected] {
        for (int turn = 0; turn < 10000; ++turn) {
          if (!slots.Acquire().has_value()) ++rejected;
        }
      });
    }
  }
  EXPECT_EQ(rejected, 0u);
}

}  // namespace
}  // namespace outport
