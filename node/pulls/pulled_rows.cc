#include "node/pulls/pulled_rows.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "registry/records/rows.h"

namespace outport::node {
namespace {

constexpr size_t kRowsInTransaction = 256;
constexpr size_t kPage = 1000;

int64_t BootMs(const Clock& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock.SinceBoot()).count();
}

// Calls `change(transaction, item)`, which returns a Result<void>, for every item, some hundred in
// a transaction.
template <class Item, class Change>
Result<void> InBatches(MetaStore& meta, std::span<const Item> items, Change change) {
  while (!items.empty()) {
    const size_t count = std::min(items.size(), kRowsInTransaction);
    const std::unique_ptr<MetaTransaction> transaction = meta.Begin();
    for (const Item& item : items.first(count)) TRY_VOID(change(*transaction, item));
    TRY_VOID(transaction->Commit(MetaTransaction::Durability::kBuffered));
    items = items.subspan(count);
  }
  return {};
}

}  // namespace

Result<void> PulledRows::CountRows() {
  size_t count = 0;
  ScanRange range{.prefix = std::string(keys::kPulled), .limit = kPage};
  for (bool more = true; more;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    count += rows.size();
    more = rows.size() == range.limit;
    if (more) range.after = rows.back().key;
  }
  count_ = count;
  return {};
}

Result<uint64_t> PulledRows::Add(const std::vector<Pull>& pulls) {
  if (!count_.has_value()) TRY_VOID(CountRows());
  size_t count = *count_;
  count_.reset();  // until everything has succeeded
  const int64_t boot_ms = BootMs(clock_);
  const int64_t wall_ms = ToUnixMillis(clock_.Wall());
  auto put = [&](MetaTransaction& transaction, const Pull& pull) -> Result<void> {
    const std::string key = keys::Pulled(pull.repository, ToString(pull.reference));
    TRY(const bool exists, HasRow(transaction, key));
    if (!exists) ++count;
    v1::PulledRow row;
    row.set_wall_ms(wall_ms - (boot_ms - pull.time_ms));
    row.set_boot_ms(pull.time_ms);
    row.set_boot_id(boot_id_);
    return WriteRow(transaction, key, row);
  };
  TRY_VOID(InBatches(meta_, std::span<const Pull>(pulls), put));
  count_ = count;
  if (count <= max_rows_) return uint64_t{0};
  return DropOldest();
}

// Reads all rows twice. It deletes a tenth, so that this is rare.
Result<uint64_t> PulledRows::DropOldest() {
  count_.reset();
  std::vector<int64_t> times;
  auto for_each = [&](auto see) -> Result<void> {
    std::string after;
    for (;;) {
      TRY(const std::vector<KeyValue> rows, List(after, kPage));
      TRY_VOID(see(rows));
      if (rows.size() < kPage) return {};
      after = rows.back().key;
    }
  };
  auto collect = [&](const std::vector<KeyValue>& rows) -> Result<void> {
    for (const KeyValue& row : rows) {
      TRY(const auto pulled, ParseRow<v1::PulledRow>(row.key, row.value));
      times.push_back(pulled.wall_ms());
    }
    return {};
  };
  TRY_VOID(for_each(collect));
  const size_t keep = max_rows_ - max_rows_ / 10;
  if (times.size() <= keep) return uint64_t{0};
  const size_t excess = times.size() - keep;
  const auto newest_dropped = times.begin() + static_cast<std::ptrdiff_t>(excess - 1);
  std::ranges::nth_element(times, newest_dropped);
  const int64_t limit_ms = *newest_dropped;
  uint64_t dropped = 0;
  auto drop = [&](const std::vector<KeyValue>& rows) -> Result<void> {
    std::vector<KeyValue> old;
    for (const KeyValue& row : rows) {
      TRY(const auto pulled, ParseRow<v1::PulledRow>(row.key, row.value));
      if (pulled.wall_ms() > limit_ms || dropped + old.size() == excess) continue;
      old.push_back(row);
    }
    TRY_VOID(Remove(old));
    dropped += old.size();
    return {};
  };
  TRY_VOID(for_each(drop));
  TRY_VOID(CountRows());
  return dropped;
}

Result<std::vector<KeyValue>> PulledRows::List(const std::string& after, size_t limit) const {
  return meta_.Scan({.prefix = std::string(keys::kPulled), .after = after, .limit = limit});
}

Result<void> PulledRows::Remove(const std::vector<KeyValue>& rows) {
  const std::optional<size_t> before = std::exchange(count_, std::nullopt);
  size_t removed = 0;
  auto remove = [&](MetaTransaction& transaction, const KeyValue& row) -> Result<void> {
    TRY(const auto value, transaction.GetForUpdate(row.key));
    if (value != row.value) return {};
    ++removed;
    return transaction.Delete(row.key);
  };
  TRY_VOID(InBatches(meta_, std::span<const KeyValue>(rows), remove));
  if (before.has_value()) count_ = *before - removed;
  return {};
}

int64_t PulledRows::AgeMs(const v1::PulledRow& row) const {
  const int64_t age_ms = row.boot_id() == boot_id_ ? BootMs(clock_) - row.boot_ms()
                                                   : ToUnixMillis(clock_.Wall()) - row.wall_ms();
  return std::max<int64_t>(age_ms, 0);
}

}  // namespace outport::node
