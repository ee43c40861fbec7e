#include "store/gc/paged_plan.h"

#include <algorithm>
#include <utility>

namespace outport::store {

PagedPlan::PagedPlan(const Plan& plan) {
  totals_.set_plan(plan.name);
  *totals_.mutable_counts() = plan.counts;
  totals_.set_freed_bytes(plan.freed_bytes);
  totals_.set_freed_later_bytes(plan.freed_later_bytes);
  totals_.set_freed_is_minimum(plan.freed_is_minimum);
  totals_.set_recently_pulled(plan.recently_pulled);
  totals_.set_last_pulled_ms(plan.last_pull.last_ms());
  totals_.set_last_pulled_at(plan.last_pull.node());
  totals_.set_cut(plan.cut);
  totals_.set_waiting(plan.waiting);
  totals_.set_no_repository(plan.no_repository);
  totals_.set_next_due_ms(plan.next_due_ms);
  for (const std::string& node : plan.nodes_without_report) {
    totals_.add_nodes_without_report(node);
  }
  ends_.reserve(plan.items.size());
  for (const PlannedItem& item : plan.items) {
    items_ += item.shown.SerializeAsString();
    ends_.push_back(items_.size());
  }
  items_.shrink_to_fit();
}

v1::PlanItem PagedPlan::Item(size_t index) const {
  const size_t begin = index == 0 ? 0 : ends_[index - 1];
  v1::PlanItem item;
  // Cannot fail: the bytes are those of an item.
  static_cast<void>(
      item.ParseFromArray(items_.data() + begin, static_cast<int>(ends_[index] - begin)));
  return item;
}

v1::GetPlanResponse PagedPlan::Page(size_t first, size_t limit) const {
  v1::GetPlanResponse page = totals_;
  const size_t begin = std::min(first, size());
  const size_t end = begin + std::min(limit, size() - begin);
  for (size_t i = begin; i < end; ++i) *page.add_items() = Item(i);
  return page;
}

Result<std::vector<PlannedItem>> PagedPlan::Items() const {
  std::vector<PlannedItem> items;
  items.reserve(size());
  for (size_t i = 0; i < size(); ++i) {
    v1::PlanItem shown = Item(i);
    TRY(RepositoryName repository, RepositoryName::Parse(shown.repository()));
    TRY(Digest digest, Digest::Parse(shown.digest()));
    items.push_back(
        {.shown = std::move(shown), .content = {std::move(repository), std::move(digest)}});
  }
  return items;
}

}  // namespace outport::store
