#pragma once

#include <cstdint>
#include <vector>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"
#include "store/gc/plan.h"

namespace outport::store {

// The part of a plan that remains when an administrator runs it.
struct RemainingPlan {
  std::vector<PlannedItem> items;
  uint64_t gone = 0;  // the other items: the collector, a client or another run has removed them
};

// Looks again at each item of a plan that the store remembers. A plan holds although items are
// gone, because the collector also works between the plan and its run. kFailedPrecondition names
// the first item that is there and would not be in the plan any longer: something refers to it, or
// a client has pushed it or asked for it. An item of which a row has become corrupt remains: the
// run leaves it alone, and says so. `as_of_ms` is the time of the plan. Blocks.
Result<RemainingPlan> CheckPlan(const MetaView& view, const CollectionTimes& times,
                                int64_t as_of_ms, std::vector<PlannedItem> items);

}  // namespace outport::store
