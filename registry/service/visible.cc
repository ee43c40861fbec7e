#include "registry/service/visible.h"

#include <algorithm>
#include <tuple>

namespace outport {

std::vector<NameRange> Visible::Disjoint(std::vector<NameRange> ranges) {
  std::ranges::sort(ranges, {}, [](const NameRange& range) {
    return std::tuple<const std::string&, bool>(range.prefix, range.exact);
  });
  std::vector<NameRange> kept;
  const NameRange* widest = nullptr;  // the last prefix range; it contains the ranges to skip
  for (NameRange& range : ranges) {
    if (widest != nullptr && range.prefix.starts_with(widest->prefix)) continue;
    if (!kept.empty() && kept.back().exact && range.exact && kept.back().prefix == range.prefix) {
      continue;
    }
    if (!range.exact) widest = &range;
    kept.push_back(range);
  }
  return kept;
}

Visible VisibleTo(const Rights& rights) {
  std::vector<NameRange> ranges;
  for (const Rights::Source& source : rights.sources()) {
    for (const Grant& grant : *source.grants) {
      if (!grant.actions.contains(Action::kPull)) continue;
      const size_t star = grant.pattern.find('*');
      ranges.push_back({grant.pattern.substr(0, star), star == std::string::npos});
    }
  }
  auto accepts = [rights](const RepositoryName& name) {
    return rights.Allows(Action::kPull, name);
  };
  return Visible(std::move(accepts), std::move(ranges));
}

}  // namespace outport
