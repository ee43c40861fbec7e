#include "registry/base/slots.h"

#include <utility>

namespace outport {

Slots::Slot::Slot(Slot&& other) noexcept
    : slots_(std::exchange(other.slots_, nullptr)), rank_(other.rank_) {}

Slots::Slot::~Slot() {
  if (slots_ == nullptr) return;
  slots_->held_.fetch_sub(1);
  if (slots_->in_use_ != nullptr) slots_->in_use_->Decrement();
}

std::optional<Slots::Slot> Slots::Acquire() {
  size_t held = held_.load();
  do {
    if (held >= capacity_) return std::nullopt;
  } while (!held_.compare_exchange_weak(held, held + 1));
  if (in_use_ != nullptr) in_use_->Increment();
  return Slot(*this, held);
}

}  // namespace outport
