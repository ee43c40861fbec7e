#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "outport/v1/gc.pb.h"
#include "registry/base/mutex.h"
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
  // Returns TextOf() all items, in byte order.
  std::vector<std::string> SortedTexts() const;

 private:
  v1::PlanItem Item(size_t index) const;

  v1::GetPlanResponse totals_;  // without items
  std::string items_;           // serialized
  std::vector<size_t> ends_;    // of each item in `items_`
};

// The latest plans. So the store makes a plan once, whatever the number of its pages, and can name
// what has changed since. Keeps at most kMaxPlans plans, and together at most as many items as one
// plan may have. Safe for several threads.
class RecentPlans {
 public:
  static constexpr size_t kMaxPlans = 8;

  // Adds a plan, and forgets the oldest ones if there are too many.
  void Add(std::shared_ptr<const PagedPlan> plan);
  // Returns the plan of this name, or null. Shared: another thread may forget the plan meanwhile.
  std::shared_ptr<const PagedPlan> Find(const std::string& name) const;

 private:
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const PagedPlan>> plans_ OUTPORT_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace outport::store
