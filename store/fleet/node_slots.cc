#include "store/fleet/node_slots.h"

#include <optional>
#include <utility>

namespace outport::store {

Result<Slots::Slot> NodeSlots::Acquire(const std::string& node) {
  MutexLock lock(mutex_);
  Slots& slots = nodes_.try_emplace(node, slots_per_node_, &in_use_).first->second;
  std::optional<Slots::Slot> slot = slots.Acquire();
  if (slot.has_value()) return *std::move(slot);
  return Error{ErrorCode::kTooManyRequests, "node '" + node + "' has " +
                                                std::to_string(slots_per_node_) + " " + what_ +
                                                " in progress, which is its limit; retry shortly"};
}

}  // namespace outport::store
