#include "store/gc/orphan_sweep.h"

#include <algorithm>
#include <set>
#include <utility>

#include "registry/records/rows.h"
#include "store/gc/candidates.h"

namespace outport::store {

Result<uint64_t> OrphanSweep::Step() {
  TRY(const std::vector<KeyValue> rows,
      parts_.meta.Scan({.prefix = std::string(keys::kOrphaned), .limit = 1}));
  if (rows.empty()) return uint64_t{0};
  const KeyValue& row = rows.front();
  TRY(ContentKey subject, ParseContentKey(row.key, keys::kOrphaned));
  TRY(v1::OrphanedRow orphaned, ParseRow<v1::OrphanedRow>(row.key, row.value));
  TRY(std::vector<Digest> referrers, ReadReferrers(parts_.meta, subject, orphaned.after(), kBatch));
  const Page page{std::move(subject), std::move(orphaned), std::move(referrers)};
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY_VOID(Make(transaction, page));
    return parts_.lease.Check(transaction);
  }));
  return std::max<uint64_t>(page.referrers.size(), 1);
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
  const std::string key = keys::Orphaned(repository, subject);
  TRY(const auto row, LockRow<v1::OrphanedRow>(transaction, key));
  const bool same =
      row.has_value() && row->since_ms() == page.row.since_ms() && row->after() == page.row.after();
  if (!same) return {};  // the manifest was removed again since the page was read
  TRY(const bool returned, HasRow(transaction, keys::ManifestOf(repository, subject)));
  if (returned || page.referrers.empty()) return transaction.Delete(key);
  for (const Digest& referrer : page.referrers) {
    TRY_VOID(AddCandidate(transaction, page, referrer));
  }
  v1::OrphanedRow next = *row;
  next.set_after(page.referrers.back().ToString());
  return WriteRow(transaction, key, next);
}

// If the manifest is a candidate since a later time, that time stays.
Result<void> OrphanSweep::AddCandidate(MetaTransaction& transaction, const Page& page,
                                       const Digest& referrer) const {
  const RepositoryName& repository = page.subject.repository;
  TRY(const bool here, HasRow(transaction, keys::ManifestOf(repository, referrer)));
  if (!here) return {};
  const std::string key = keys::Untagged(repository, referrer);
  TRY(const auto candidate, LockRow<v1::UntaggedRow>(transaction, key));
  if (candidate.has_value() && candidate->since_ms() >= page.row.since_ms()) return {};
  v1::UntaggedRow row;
  row.set_since_ms(page.row.since_ms());
  return WriteRow(transaction, key, row);
}

}  // namespace outport::store
