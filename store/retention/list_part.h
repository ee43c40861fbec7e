#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "outport/v1/retention.pb.h"
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

// What the store remembers of a plan of retention: the part of its list that an administrator
// reads, and the bytes that the items of all parts free. Immutable; safe for several threads.
class ListedPlan {
 public:
  // The items and numbers of bytes that the store remembers of all plans together.
  static constexpr size_t kMaxEntries = RetentionPlanner::kMaxDrops + ListPart::kMaxItems;

  ListedPlan(std::string name, std::shared_ptr<const FreedByItem> freed, ListPart part)
      : name_(std::move(name)), freed_(std::move(freed)), part_(std::move(part)) {}

  const std::string& name() const { return name_; }
  size_t size() const { return freed_->size() + part_.size(); }
  const std::shared_ptr<const FreedByItem>& freed() const { return freed_; }
  const ListPart& part() const { return part_; }
  // Returns whether the page of this list after the place `after` begins in the part.
  bool Covers(bool only_drops, const std::string& after) const {
    return part_.only_drops() == only_drops && part_.Covers(after);
  }

 private:
  const std::string name_;
  const std::shared_ptr<const FreedByItem> freed_;  // several parts of the list share it
  const ListPart part_;
};

}  // namespace outport::store
