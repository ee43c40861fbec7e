#include "store/content/collection.h"

#include <algorithm>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr size_t kReferencesPerScan = 100;

// Returns a live reference. If the manifest of a reference does not exist, calls
// `is_stale(reference, manifest)` with the keys of the two rows. It returns false if the manifest
// exists by now.
template <class Source, class IsStale>
Result<std::optional<Digest>> FindLive(Source& source, const RepositoryName& repository,
                                       const Digest& digest, const IsStale& is_stale) {
  const std::string prefix = keys::ReferencesTo(digest, repository);
  for (ScanRange range{.prefix = prefix, .after = {}, .limit = kReferencesPerScan};;) {
    TRY(const std::vector<KeyValue> rows, source.Scan(range));
    for (const KeyValue& row : rows) {
      Result<Digest> parent = Digest::Parse(keys::After(row.key, prefix));
      if (!parent.has_value()) {
        return Error{ErrorCode::kCorrupt,
                     "the key '" + Printable(row.key) + "' of the metadata is corrupt"};
      }
      const std::string manifest = keys::ManifestOf(repository, *parent);
      TRY(const bool exists, HasRow(source, manifest));
      TRY(const bool stale, exists ? Result<bool>(false) : is_stale(row.key, manifest));
      if (!stale) return std::optional<Digest>(*std::move(parent));
    }
    if (rows.size() < range.limit) return std::optional<Digest>();
    range.after = rows.back().key;
  }
}

// Deletes a reference whose manifest does not exist. A push of the manifest may have written both
// rows since then, so locks the reference, which the push writes, too, and looks again. Returns
// false if the reference is live.
Result<bool> DeleteStale(MetaTransaction& transaction, const std::string& reference,
                         const std::string& manifest) {
  TRY(const auto locked, transaction.GetForUpdate(reference));
  TRY(const bool exists, HasRow(transaction, manifest));
  if (exists && locked.has_value()) return false;
  if (locked.has_value()) TRY_VOID(transaction.Delete(reference));
  return true;
}

}  // namespace

int64_t KeptByTouchMs(const CollectionTimes& times, int64_t lease_until_ms) {
  if (lease_until_ms == 0) return 0;
  return std::max(lease_until_ms, lease_until_ms - times.lease.count() + times.grace.count());
}

Result<std::optional<Digest>> Collection::FindReference(MetaTransaction& transaction,
                                                        const RepositoryName& repository,
                                                        const Digest& digest, bool* stale_left) {
  // The rows beyond the limit stay, and so need no lock: a push that refers to the digest as this
  // kind of content waits for the lock of the digest, which the caller holds.
  size_t deletions_left = kMaxStale;
  const auto drop = [&](const std::string& reference, const std::string& manifest) -> Result<bool> {
    if (deletions_left == 0) {
      if (stale_left != nullptr) *stale_left = true;
      return true;
    }
    --deletions_left;
    return DeleteStale(transaction, reference, manifest);
  };
  return FindLive(transaction, repository, digest, drop);
}

Result<std::optional<Digest>> Collection::FindReference(const MetaView& view,
                                                        const RepositoryName& repository,
                                                        const Digest& digest) {
  const auto ignore = [](const std::string&, const std::string&) { return Result<bool>(true); };
  return FindLive(view, repository, digest, ignore);
}

template <class Row>
bool Collection::Renew(Row& row) const {
  if (row.lease_until_ms() - now_ms_ >= times_.lease.count() / 2) return false;
  row.set_lease_until_ms(now_ms_ + times_.lease.count());
  return true;
}

bool Collection::Touch(v1::LinkRow& row) const { return Renew(row); }
bool Collection::Touch(v1::ManifestRow& row) const { return Renew(row); }

bool Collection::HasLease(int64_t lease_until_ms) const {
  return lease_until_ms - now_ms_ >= times_.lease.count() / 2;
}

int64_t Collection::DueMs(const v1::LinkRow& row) const {
  return std::max(row.condemned_ms() + times_.grace.count(),
                  KeptByTouchMs(times_, row.lease_until_ms()));
}

Result<void> Collection::Condemn(MetaTransaction& transaction, const RepositoryName& repository,
                                 const Digest& digest, v1::LinkRow& row) const {
  row.set_condemned_ms(now_ms_);
  return Postpone(transaction, repository, digest, DueMs(row), row);
}

Result<void> Collection::Postpone(MetaTransaction& transaction, const RepositoryName& repository,
                                  const Digest& digest, int64_t due_ms, v1::LinkRow& row) {
  if (row.due_ms() != 0) {
    TRY_VOID(transaction.Delete(keys::Condemned(row.due_ms(), repository, digest)));
  }
  row.set_due_ms(due_ms);
  return transaction.Put(keys::Condemned(due_ms, repository, digest), {});
}

Result<void> Collection::Acquit(MetaTransaction& transaction, const RepositoryName& repository,
                                const Digest& digest, v1::LinkRow& row) {
  if (row.due_ms() != 0) {
    TRY_VOID(transaction.Delete(keys::Condemned(row.due_ms(), repository, digest)));
  }
  row.set_condemned_ms(0);
  row.set_due_ms(0);
  row.clear_pulled_ms();
  row.clear_pulled_at();
  return {};
}

Result<void> Collection::AddCandidate(MetaTransaction& transaction,
                                      const RepositoryName& repository,
                                      const Digest& digest) const {
  v1::UntaggedRow row;
  row.set_since_ms(now_ms_);
  return WriteRow(transaction, keys::Untagged(repository, digest), row);
}

Result<void> Collection::DropCandidate(MetaTransaction& transaction,
                                       const RepositoryName& repository, const Digest& digest) {
  const std::string key = keys::Untagged(repository, digest);
  TRY(const bool candidate, HasRow(transaction, key));
  return candidate ? transaction.Delete(key) : Result<void>();
}

Result<void> Collection::RequestScan(MetaTransaction& transaction) {
  TRY(auto row, LockRow<v1::CollectorRow>(transaction, keys::kCollector));
  if (!row.has_value() || (!row->scanned() && row->scan_after().empty())) return {};
  row->set_scanned(false);
  row->clear_scan_after();
  return WriteRow(transaction, keys::kCollector, *row);
}

}  // namespace outport::store
