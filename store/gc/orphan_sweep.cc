#include "store/gc/orphan_sweep.h"

#include <algorithm>
#include <set>
#include <utility>

#include "registry/records/rows.h"
#include "store/gc/candidates.h"

namespace outport::store {

Result<uint64_t> OrphanSweep::Step() {
  for (size_t scan = 0; scan < kScans; ++scan) {
    TRY(const std::vector<KeyValue> rows,
        parts_.meta.Scan(
            {.prefix = std::string(keys::kOrphaned), .after = after_, .limit = kRows}));
    uint64_t skipped = 0;
    for (const KeyValue& row : rows) {
      TRY(const std::optional<Page> page, Read(row));
      if (!page.has_value()) {
        ++skipped;
        continue;
      }
      TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
        TRY_VOID(Make(transaction, *page));
        return parts_.lease.Check(transaction);
      }));
      return std::max<uint64_t>(page->referrers.size(), 1);
    }
    skipped_ += skipped;
    if (rows.size() < kRows) {
      corrupt_rows_ = std::exchange(skipped_, 0);
      after_.clear();
      return uint64_t{0};
    }
    after_ = rows.back().key;
  }
  return kScans * kRows;
}

// Returns nullopt if the row or the row of a referrer is corrupt. Where the repository has the
// manifest again, the row can go, whatever it says.
Result<std::optional<OrphanSweep::Page>> OrphanSweep::Read(const KeyValue& row) {
  const Result<ContentKey> subject = ParseContentKey(row.key, keys::kOrphaned);
  if (!subject.has_value()) {
    LogSkipped(row, subject.error());
    return std::optional<Page>();
  }
  Page page{.key = row.key, .value = row.value, .subject = *subject};
  const auto orphaned = ParseRow<v1::OrphanedRow>(row.key, row.value);
  auto referrers = orphaned.has_value()
                       ? ReadReferrers(parts_.meta, *subject, orphaned->after(), kBatch)
                       : Result<std::vector<Digest>>(orphaned.error());
  if (!IsCorrupt(referrers)) {
    TRY(page.referrers, std::move(referrers));
    page.row = *orphaned;
    return std::optional(std::move(page));
  }
  TRY(const bool returned,
      HasRow(parts_.meta, keys::ManifestOf(subject->repository, subject->digest)));
  if (returned) return std::optional(std::move(page));
  LogSkipped(row, referrers.error());
  return std::optional<Page>();
}

void OrphanSweep::LogSkipped(const KeyValue& row, const Error& why) {
  if (logged_.size() < kMaxLogged && logged_.insert(row.key).second) {
    LogSkippedRow(parts_.log, why);
  }
}

// Locks the manifests in the order in which all transactions lock them, then the row, and then
// looks again.
Result<void> OrphanSweep::Make(MetaTransaction& transaction, const Page& page) const {
  const auto& [repository, subject] = page.subject;
  std::set<std::string> manifests{keys::ManifestOf(repository, subject)};
  for (const Digest& referrer : page.referrers) {
    manifests.insert(keys::ManifestOf(repository, referrer));
  }
  for (const std::string& manifest : manifests) {
    TRY(const auto locked, transaction.GetForUpdate(manifest));
  }
  TRY(const auto value, transaction.GetForUpdate(page.key));
  if (value != page.value) return {};  // the manifest was removed again since the page was read
  TRY(const bool returned, HasRow(transaction, keys::ManifestOf(repository, subject)));
  if (returned) return transaction.Delete(page.key);
  if (!page.row.has_value()) return {};  // corrupt, and the manifest has just gone again
  if (page.referrers.empty()) return transaction.Delete(page.key);
  for (const Digest& referrer : page.referrers) {
    TRY_VOID(AddCandidate(transaction, page, referrer));
  }
  v1::OrphanedRow next = *page.row;
  next.set_after(page.referrers.back().ToString());
  return WriteRow(transaction, page.key, next);
}

// If the manifest is a candidate since a later time, that time stays.
Result<void> OrphanSweep::AddCandidate(MetaTransaction& transaction, const Page& page,
                                       const Digest& referrer) const {
  const RepositoryName& repository = page.subject.repository;
  TRY(const bool here, HasRow(transaction, keys::ManifestOf(repository, referrer)));
  if (!here) return {};
  const std::string key = keys::Untagged(repository, referrer);
  const auto candidate = LockRow<v1::UntaggedRow>(transaction, key);
  if (IsCorrupt(candidate)) return {};  // nobody knows since when, so the manifest stays
  TRY_VOID(candidate);
  const int64_t since_ms = page.row->since_ms();
  if (candidate->has_value() && (*candidate)->since_ms() >= since_ms) return {};
  v1::UntaggedRow row;
  row.set_since_ms(since_ms);
  return WriteRow(transaction, key, row);
}

}  // namespace outport::store
