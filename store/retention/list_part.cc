#include "store/retention/list_part.h"

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

}  // namespace outport::store
