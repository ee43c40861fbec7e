#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "outport/v1/retention.pb.h"
#include "registry/base/mutex.h"
#include "store/retention/retention_planner.h"

namespace outport::store {

// The bytes that each item of a plan frees, by PlaceOf() the item. Without items that free nothing.
using FreedByItem = std::unordered_map<std::string, uint64_t>;

// A part of the list of a plan: the items after a place, each in about 200 bytes. Immutable; safe
// for several threads.
class ListPart {
 public:
  static constexpr size_t kMaxItems = RetentionPlanner::kMaxDrops;

  // `page` is what RetentionPlanner::List() returns after `after`.
  ListPart(std::string after, bool only_drops, const RetentionPlanner::Page& page);

  bool only_drops() const { return only_drops_; }
  size_t size() const { return ends_.size(); }
  // Returns whether the page after the place `after` begins in this part.
  bool Covers(const std::string& after) const;
  // Returns at most `limit` items after `after`, and fewer at the end of the part. REQUIRES:
  // Covers(after), and a positive limit.
  RetentionPlanner::Page PageAfter(const std::string& after, size_t limit) const;

 private:
  v1::RetentionItem Item(size_t index) const;
  size_t FirstAfter(const std::string& after) const;

  const std::string after_;
  const bool only_drops_;
  const std::string next_;
  std::string items_;         // serialized
  std::vector<size_t> ends_;  // of each item in `items_`
};

// What the store remembers of the latest plans of retention. So it evaluates the policies once for
// many pages of a list, and all pages have the bytes that their items free. Keeps at most kMaxPlans
// plans with one part of the list each, and together at most kMaxEntries items and numbers of
// bytes. Safe for several threads.
class RecentDropPlans {
 public:
  static constexpr size_t kMaxPlans = 8;
  static constexpr size_t kMaxEntries = RetentionPlanner::kMaxDrops + ListPart::kMaxItems;

  // Adds a plan, and forgets the oldest ones if there are too many.
  void Add(const std::string& name, std::shared_ptr<const FreedByItem> freed);
  // Puts the part in the place of the plan's part. Without such a plan, does nothing.
  void SetPart(const std::string& name, std::shared_ptr<const ListPart> part);
  // These two methods return null if the store does not remember it. Shared: another thread may
  // forget the plan meanwhile.
  std::shared_ptr<const FreedByItem> FreedOf(const std::string& name) const;
  std::shared_ptr<const ListPart> PartAfter(const std::string& name, bool only_drops,
                                            const std::string& after) const;

 private:
  struct Plan {
    std::string name;
    std::shared_ptr<const FreedByItem> freed;
    std::shared_ptr<const ListPart> part = nullptr;
    size_t entries() const { return freed->size() + (part == nullptr ? 0 : part->size()); }
  };
  const Plan* Find(const std::string& name) const OUTPORT_REQUIRES_LOCK(mutex_);
  void ForgetOldest() OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  std::deque<Plan> plans_ OUTPORT_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace outport::store
