#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "registry/base/mutex.h"

namespace outport::store {

// The latest plans that administrators read page by page. So the store makes a plan once for many
// pages, and can name what has changed since. A `Plan` is immutable and has name() and size().
// Keeps at most kMaxPlans plans, and together at most `max_size`, but always the latest one. Safe
// for several threads; does not block.
template <class Plan>
class RecentPlans {
 public:
  static constexpr size_t kMaxPlans = 8;

  explicit RecentPlans(size_t max_size) : max_size_(max_size) {}

  // Adds a plan as the latest one, in the place of one of the same name. Forgets the oldest ones if
  // there are too many.
  void Add(std::shared_ptr<const Plan> plan) {
    MutexLock lock(mutex_);
    std::erase_if(plans_, [&](const auto& other) { return other->name() == plan->name(); });
    plans_.push_back(std::move(plan));
    size_t size = 0;
    for (const auto& each : plans_) size += each->size();
    while (plans_.size() > kMaxPlans || (plans_.size() > 1 && size > max_size_)) {
      size -= plans_.front()->size();
      plans_.pop_front();
    }
  }

  // Returns the plan of this name, or null. Shared: another thread may forget the plan meanwhile.
  std::shared_ptr<const Plan> Find(const std::string& name) const {
    MutexLock lock(mutex_);
    for (const auto& plan : plans_) {
      if (plan->name() == name) return plan;
    }
    return nullptr;
  }

 private:
  const size_t max_size_;
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const Plan>> plans_ OUTPORT_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace outport::store
