#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/records/rows.h"
#include "registry/storage/meta_store.h"

namespace outport {

// Some rows of a list, in the order of their keys.
template <class Row>
struct RowPage {
  std::vector<Row> rows;
  std::string next;  // `after` for the next page; empty on the last page

  bool more() const { return !next.empty(); }
};

// Returns at most `limit` rows whose keys begin with `prefix`. `limit` is at least 1. `after` is
// the part of a key after the prefix; the page begins with the next greater key. If `after` is
// empty, the page begins with the first key. Blocks.
template <class Row>
Result<RowPage<Row>> ListRows(const MetaView& meta, std::string_view prefix,
                              const std::string& after, size_t limit) {
  const std::string start = after.empty() ? std::string() : std::string(prefix) + after;
  TRY(const std::vector<KeyValue> found,
      meta.Scan({.prefix = std::string(prefix), .after = start, .limit = limit + 1}));
  RowPage<Row> page;
  for (const KeyValue& pair : found) {
    if (page.rows.size() == limit) break;
    TRY(Row row, ParseRow<Row>(pair.key, pair.value));
    page.rows.push_back(std::move(row));
  }
  if (found.size() > limit) page.next = found[limit - 1].key.substr(prefix.size());
  return page;
}

}  // namespace outport
