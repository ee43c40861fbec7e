#include "store/content/catalog.h"

#include <string>
#include <utility>
#include <vector>

#include "registry/records/keys.h"
#include "registry/service/listing.h"
#include "store/content/repositories.h"

namespace outport::store {
namespace {

ScanRange RangeAfter(std::string prefix, const std::string& last, size_t limit) {
  ScanRange range{.prefix = std::move(prefix), .after = {}, .limit = limit};
  if (!last.empty()) range.after = range.prefix + last;
  return range;
}

}  // namespace

Result<uint64_t> Catalog::Head() const {
  TRY(const LogPosition head, meta_.Head());
  return head.sequence;
}

Result<Page> Catalog::Tags(const RepositoryName& repository, const PageRequest& page) const {
  TRY_VOID(RequireRepository(meta_, repository));
  const std::string prefix = keys::TagsOf(repository);
  TRY(const std::vector<KeyValue> rows, meta_.Scan(RangeAfter(prefix, page.last, page.limit + 1)));
  Page found;
  for (const KeyValue& row : rows) {
    if (found.items.size() == page.limit) {
      found.more = true;
      break;
    }
    found.items.emplace_back(keys::After(row.key, prefix));
  }
  return found;
}

Result<Page> Catalog::Repositories(const PageRequest& page, const Visible& visible) const {
  const auto scan = [this](const std::string& prefix, const std::string& after,
                           size_t limit) -> Result<std::vector<std::string>> {
    const std::string all(keys::kRepositories);
    TRY(const std::vector<KeyValue> rows,
        meta_.Scan(
            {.prefix = all + prefix, .after = after.empty() ? "" : all + after, .limit = limit}));
    std::vector<std::string> names;
    for (const KeyValue& row : rows) names.emplace_back(keys::After(row.key, all));
    return names;
  };
  return ListVisible(visible, page, scan);
}

}  // namespace outport::store
