#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/records/rows.h"
#include "registry/storage/meta_store.h"

namespace outport {

// Calls `see(row)`, which returns a Result<void>, for every row whose key begins with `prefix`, in
// byte order of the keys. Reads the rows page by page, to bound the memory. Stops at the first
// error and returns the error. Blocks.
template <class Row, class See>
Result<void> ForEachRow(const MetaView& meta, std::string_view prefix, See see) {
  constexpr size_t kPage = 1000;
  ScanRange range{.prefix = std::string(prefix), .limit = kPage};
  for (bool more = true; more;) {
    TRY(const std::vector<KeyValue> rows, meta.Scan(range));
    for (const KeyValue& pair : rows) {
      TRY(const Row row, ParseRow<Row>(pair.key, pair.value));
      TRY_VOID(see(row));
      range.after = pair.key;
    }
    more = rows.size() == range.limit;
  }
  return {};
}

}  // namespace outport
