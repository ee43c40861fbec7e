#include "store/work/owner.h"

#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/bytes.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr size_t kIdBytes = 8;

int64_t InMs(std::chrono::milliseconds time) { return time.count(); }

}  // namespace

Owner::Owner(MetaStore& meta, const StoreClock& clock, Access access)
    : meta_(meta),
      clock_(clock),
      exclusive_(access == Access::kExclusive),
      id_(RandomHex(kIdBytes)) {}

Result<void> Owner::Renew() {
  TRY_VOID(Transact(meta_, [&](MetaTransaction& transaction) {
    v1::OwnerRow row;
    row.set_until_ms(clock_.NowMs() + InMs(kDuration));
    row.set_exclusive(exclusive_);
    return WriteRow(transaction, keys::Owner(id_), row);
  }));
  return {};
}

Result<void> Owner::Release() {
  TRY_VOID(Transact(
      meta_, [&](MetaTransaction& transaction) { return transaction.Delete(keys::Owner(id_)); }));
  return {};
}

Result<bool> Owner::IsDead(const std::string& id) const {
  if (id == id_) return false;
  if (id.empty()) return true;
  TRY(const auto row, ReadRow<v1::OwnerRow>(meta_, keys::Owner(id)));
  return !row.has_value() || IsDead(*row);
}

bool Owner::IsDead(const v1::OwnerRow& row) const {
  return row.until_ms() <= clock_.NowMs() || (exclusive_ && row.exclusive());
}

Result<bool> Owner::IsAlone() const {
  ScanRange range{.prefix = std::string(keys::kOwners), .after = {}, .limit = kBatch};
  for (;;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    for (const KeyValue& pair : rows) {
      TRY(const auto row, ParseRow<v1::OwnerRow>(pair.key, pair.value));
      if (pair.key != keys::Owner(id_) && !IsDead(row)) return false;
    }
    if (rows.size() < range.limit) return true;
    range.after = rows.back().key;
  }
}

Result<size_t> Owner::DeleteExpired() {
  TRY(const std::vector<KeyValue> rows,
      meta_.Scan({.prefix = std::string(keys::kOwners), .after = {}, .limit = kBatch}));
  size_t deleted = 0;
  for (const KeyValue& pair : rows) {
    const int64_t latest_ms = clock_.NowMs() - InMs(kForget);
    TRY(const auto row, ParseRow<v1::OwnerRow>(pair.key, pair.value));
    if (row.until_ms() > latest_ms || pair.key == keys::Owner(id_)) continue;
    bool still = false;
    TRY_VOID(Transact(meta_, [&](MetaTransaction& transaction) -> Result<void> {
      TRY(const auto again, LockRow<v1::OwnerRow>(transaction, pair.key));
      still = again.has_value() && again->until_ms() <= latest_ms;
      return still ? transaction.Delete(pair.key) : Result<void>();
    }));
    deleted += still ? 1 : 0;
  }
  return deleted;
}

}  // namespace outport::store
