#include "store/catalog.h"

#include <string>
#include <utility>
#include <vector>

#include "registry/storage/keys.h"
#include "store/repositories.h"

namespace outport::store {
namespace {

ScanRange RangeAfter(std::string prefix, const std::string& last, size_t limit) {
  ScanRange range{.prefix = std::move(prefix), .after = {}, .limit = limit};
  if (!last.empty()) range.after = range.prefix + last;
  return range;
}

}  // namespace

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

Result<Page> Catalog::Repositories(
    const PageRequest& page, const std::function<bool(const RepositoryName&)>& visible) const {
  constexpr size_t kBatch = 500;
  ScanRange range = RangeAfter(std::string(keys::kRepositories), page.last, kBatch);
  Page found;
  for (;;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const RepositoryName name,
          RepositoryName::Parse(keys::After(row.key, keys::kRepositories)));
      if (!visible(name)) continue;
      if (found.items.size() == page.limit) {
        found.more = true;
        return found;
      }
      found.items.push_back(name.ToString());
    }
    if (rows.size() < kBatch) return found;
    range.after = rows.back().key;
  }
}

}  // namespace outport::store
