#pragma once

#include <map>
#include <string>

#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/base/slots.h"

namespace outport::store {

// Limits how many calls of one kind each node may have in progress. Safe for all threads; never
// blocks. The object outlives its slots.
class NodeSlots {
 public:
  // `what` names the calls in errors: "blob streams". `in_use` counts the calls of all nodes.
  NodeSlots(std::string what, size_t slots_per_node, prometheus::Gauge& in_use)
      : what_(std::move(what)), slots_per_node_(slots_per_node), in_use_(in_use) {}

  // Acquires a slot. Returns kTooManyRequests if the node has all of its slots in use. REQUIRES:
  // `node` names a member.
  Result<Slots::Slot> Acquire(const std::string& node);

 private:
  const std::string what_;
  const size_t slots_per_node_;
  prometheus::Gauge& in_use_;
  Mutex mutex_;
  // An entry for each node that ever acquired a slot, since slots refer to their entry. Only
  // members acquire slots, so administrators bound the number of names.
  std::map<std::string, Slots> nodes_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
