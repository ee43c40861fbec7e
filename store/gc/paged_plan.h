#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "outport/v1/gc.pb.h"
#include "registry/base/result.h"
#include "store/gc/plan.h"

namespace outport::store {

// A plan that administrators read page by page. It keeps each item in about 150 bytes. Immutable;
// safe for several threads.
class PagedPlan {
 public:
  explicit PagedPlan(const Plan& plan);

  const std::string& name() const { return totals_.plan(); }
  size_t size() const { return ends_.size(); }
  // Returns the totals, and at most `limit` items from the item number `first` on.
  v1::GetPlanResponse Page(size_t first, size_t limit) const;
  const v1::RunCounts& counts() const { return totals_.counts(); }
  // Returns all items, in the order of the plan.
  Result<std::vector<PlannedItem>> Items() const;

 private:
  v1::PlanItem Item(size_t index) const;

  v1::GetPlanResponse totals_;  // without items
  std::string items_;           // serialized
  std::vector<size_t> ends_;    // of each item in `items_`
};

}  // namespace outport::store
