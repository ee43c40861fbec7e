#include "store/retention/recent_drop_plans.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace outport::store {
namespace {

// The order of RetentionPlanner::List(): by repository, and then by place.
bool IsNotAfter(const std::string& place, const std::string& other) {
  const auto repository_of = [](const std::string& text) {
    return text.substr(0, text.find_first_of(":@"));
  };
  return std::pair(repository_of(place), place) <= std::pair(repository_of(other), other);
}

}  // namespace

ListPart::ListPart(std::string after, bool only_drops, const RetentionPlanner::Page& page)
    : after_(std::move(after)), only_drops_(only_drops), next_(page.next) {
  ends_.reserve(page.items.size());
  for (const v1::RetentionItem& item : page.items) {
    items_ += item.SerializeAsString();
    ends_.push_back(items_.size());
  }
  items_.shrink_to_fit();
}

v1::RetentionItem ListPart::Item(size_t index) const {
  const size_t begin = index == 0 ? 0 : ends_[index - 1];
  v1::RetentionItem item;
  // Cannot fail: the bytes are those of an item.
  static_cast<void>(
      item.ParseFromArray(items_.data() + begin, static_cast<int>(ends_[index] - begin)));
  return item;
}

size_t ListPart::FirstAfter(const std::string& after) const {
  const auto indexes = std::views::iota(size_t{0}, size());
  const auto first = std::ranges::partition_point(
      indexes, [&](size_t index) { return IsNotAfter(PlaceOf(Item(index)), after); });
  return static_cast<size_t>(first - indexes.begin());
}

bool ListPart::Covers(const std::string& after) const {
  return IsNotAfter(after_, after) && (next_.empty() || FirstAfter(after) < size());
}

RetentionPlanner::Page ListPart::PageAfter(const std::string& after, size_t limit) const {
  RetentionPlanner::Page page;
  const size_t first = FirstAfter(after);
  const size_t end = first + std::min(limit, size() - first);
  for (size_t i = first; i < end; ++i) page.items.push_back(Item(i));
  page.next = end < size() ? PlaceOf(page.items.back()) : next_;
  return page;
}

const RecentDropPlans::Plan* RecentDropPlans::Find(const std::string& name) const {
  const auto found = std::ranges::find(plans_, name, &Plan::name);
  return found == plans_.end() ? nullptr : &*found;
}

void RecentDropPlans::ForgetOldest() {
  size_t entries = 0;
  for (const Plan& plan : plans_) entries += plan.entries();
  while (plans_.size() > kMaxPlans || (plans_.size() > 1 && entries > kMaxEntries)) {
    entries -= plans_.front().entries();
    plans_.pop_front();
  }
}

void RecentDropPlans::Add(const std::string& name, std::shared_ptr<const FreedByItem> freed) {
  MutexLock lock(mutex_);
  std::erase_if(plans_, [&](const Plan& plan) { return plan.name == name; });
  plans_.push_back({.name = name, .freed = std::move(freed)});
  ForgetOldest();
}

void RecentDropPlans::SetPart(const std::string& name, std::shared_ptr<const ListPart> part) {
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(plans_, name, &Plan::name);
  if (found == plans_.end()) return;
  found->part = std::move(part);
  // An administrator reads this plan, so it is the last one to be forgotten.
  std::rotate(found, found + 1, plans_.end());
  ForgetOldest();
}

std::shared_ptr<const FreedByItem> RecentDropPlans::FreedOf(const std::string& name) const {
  MutexLock lock(mutex_);
  const Plan* const plan = Find(name);
  return plan == nullptr ? nullptr : plan->freed;
}

std::shared_ptr<const ListPart> RecentDropPlans::PartAfter(const std::string& name, bool only_drops,
                                                           const std::string& after) const {
  MutexLock lock(mutex_);
  const Plan* const plan = Find(name);
  if (plan == nullptr || plan->part == nullptr) return nullptr;
  const bool fits = plan->part->only_drops() == only_drops && plan->part->Covers(after);
  return fits ? plan->part : nullptr;
}

}  // namespace outport::store
