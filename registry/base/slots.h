#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

#include "registry/base/metrics.h"

namespace outport {

// Counts the slots of a limited thing: bodies received at once, streams of one node. Nobody waits:
// a caller that gets no slot rejects its request. Safe for all threads; never blocks. Outlives its
// slots.
class Slots {
 public:
  // `in_use`, if given, counts the slots that are held; several Slots may share it.
  explicit Slots(size_t capacity, prometheus::Gauge* in_use = nullptr)
      : capacity_(capacity), in_use_(in_use) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // One slot. Released on destruction.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot& operator=(Slot&&) = delete;
    ~Slot();

    // How many slots were held when this one was acquired: 0 for the first. Callers with a low rank
    // may get more of a shared resource.
    size_t rank() const { return rank_; }

   private:
    friend class Slots;
    Slot(Slots& slots, size_t rank) : slots_(&slots), rank_(rank) {}
    Slots* slots_;  // nullptr: moved from
    size_t rank_;
  };
  // Returns a slot, or nullopt if all are held.
  std::optional<Slot> Acquire();

  size_t capacity() const { return capacity_; }

 private:
  const size_t capacity_;
  prometheus::Gauge* const in_use_;
  std::atomic<size_t> held_ = 0;
};

}  // namespace outport
