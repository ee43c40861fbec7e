#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

#include "registry/base/metrics.h"

namespace outport {

// Limits how many callers use something at the same time, for example the streams of one node. A
// caller does not wait for a slot: if no slot is free, the caller rejects its request. Safe for all
// threads; never blocks. A Slots object must outlive its slots.
class Slots {
 public:
  // `in_use`, if not null, shows the number of acquired slots. Several Slots objects may share one
  // gauge.
  explicit Slots(size_t capacity, prometheus::Gauge* in_use = nullptr)
      : capacity_(capacity), in_use_(in_use) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // One slot. The destructor releases it.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot& operator=(Slot&&) = delete;
    ~Slot();

    // Returns the number of slots that were in use before this one: 0 for the first. A component
    // may give more of a shared resource to a slot with a low rank.
    size_t rank() const { return rank_; }

   private:
    friend class Slots;
    Slot(Slots& slots, size_t rank) : slots_(&slots), rank_(rank) {}
    Slots* slots_;  // nullptr after a move
    size_t rank_;
  };
  // Returns a slot, or nullopt if all slots are in use.
  std::optional<Slot> Acquire();

  size_t capacity() const { return capacity_; }

 private:
  const size_t capacity_;
  prometheus::Gauge* const in_use_;
  std::atomic<size_t> held_ = 0;
};

}  // namespace outport
