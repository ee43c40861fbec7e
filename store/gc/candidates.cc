#include "store/gc/candidates.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr size_t kRowsPerScan = 1000;
constexpr size_t kReferrerScanBytes = 1 << 20;
// Later than all times, also after the addition of a grace period.
constexpr int64_t kNeverMs = std::numeric_limits<int64_t>::max() / 2;

template <class Source>
Result<void> Count(Source& source, const ContentKey& content, const v1::ManifestRow& manifest,
                   v1::UntaggedRow& candidate) {
  if (manifest.subject().empty()) return {};
  TRY(const Digest subject, Digest::Parse(manifest.subject()));
  const auto orphaned =
      ReadRow<v1::OrphanedRow>(source, keys::Orphaned(content.repository, subject));
  if (IsCorrupt(orphaned)) {
    candidate.set_since_ms(kNeverMs);
    return {};
  }
  TRY_VOID(orphaned);
  if (!orphaned->has_value()) return {};
  candidate.set_since_ms(std::max(candidate.since_ms(), (*orphaned)->since_ms()));
  return {};
}

// Visits the referrers of one removed manifest that have no row untagged/. Returns whether to
// continue.
Result<bool> VisitReferrers(const CandidateScan& scan, const ContentKey& subject,
                            const v1::OrphanedRow& orphaned, const VisitCandidate& visit) {
  const MetaView& view = scan.view;
  const RepositoryName& repository = subject.repository;
  TRY(const bool returned, HasRow(view, keys::ManifestOf(repository, subject.digest)));
  if (returned) return true;
  v1::UntaggedRow candidate;
  candidate.set_since_ms(orphaned.since_ms());
  for (std::string after = orphaned.after();;) {
    const auto referrers = ReadReferrers(view, subject, after, kRowsPerScan);
    if (IsCorrupt(referrers)) {
      scan.skipped(referrers.error());
      return true;
    }
    if (!referrers.has_value()) return referrers.error();
    if (referrers->empty()) return true;
    for (const Digest& referrer : *referrers) {
      TRY(const bool visited, HasRow(view, keys::Untagged(repository, referrer)));
      if (visited) continue;
      TRY(const bool more, visit({repository, referrer}, candidate));
      if (!more) return false;
    }
    after = referrers->back().ToString();
  }
}

// Calls `visit(content, row)` for each row below the prefix whose repository the scan visits. Skips
// corrupt rows. `root` is the part of the prefix before the repository. Returns whether to
// continue.
template <class Row, class Visit>
Result<bool> ForEachRow(const CandidateScan& scan, std::string_view root, const std::string& prefix,
                        const Visit& visit) {
  for (ScanRange range{.prefix = prefix, .limit = kRowsPerScan};;) {
    TRY(const std::vector<KeyValue> rows, scan.view.Scan(range));
    for (const KeyValue& row : rows) {
      const Result<ContentKey> content = ParseContentKey(row.key, root);
      if (content.has_value() && !scan.matches(content->repository)) continue;
      const Result<Row> parsed =
          content.has_value() ? ParseRow<Row>(row.key, row.value) : Result<Row>(content.error());
      if (!parsed.has_value()) {
        scan.skipped(parsed.error());
        continue;
      }
      TRY(const bool more, visit(*content, *parsed));
      if (!more) return false;
    }
    if (rows.size() < range.limit) return true;
    range.after = rows.back().key;
  }
}

}  // namespace

Result<void> ForEachCandidate(const CandidateScan& scan, const VisitCandidate& visit) {
  const auto& only = scan.repository;
  TRY(const bool more,
      ForEachRow<v1::UntaggedRow>(
          scan, keys::kUntagged,
          only.has_value() ? keys::UntaggedIn(*only) : std::string(keys::kUntagged), visit));
  if (!more) return {};
  const auto visit_referrers = [&](const ContentKey& subject, const v1::OrphanedRow& orphaned) {
    return VisitReferrers(scan, subject, orphaned, visit);
  };
  TRY_VOID(ForEachRow<v1::OrphanedRow>(
      scan, keys::kOrphaned,
      only.has_value() ? keys::OrphanedIn(*only) : std::string(keys::kOrphaned), visit_referrers));
  return {};
}

Result<std::vector<Digest>> ReadReferrers(const MetaView& view, const ContentKey& subject,
                                          const std::string& after, size_t limit) {
  const std::string prefix = keys::ReferrersOf(subject.repository, subject.digest);
  TRY(const std::vector<KeyValue> rows,
      view.Scan({.prefix = prefix,
                 .after = after.empty() ? std::string() : prefix + after,
                 .limit = limit,
                 .limit_bytes = kReferrerScanBytes}));
  std::vector<Digest> referrers;
  referrers.reserve(rows.size());
  for (const KeyValue& row : rows) {
    Result<Digest> referrer = Digest::Parse(keys::After(row.key, prefix));
    if (!referrer.has_value()) {
      return Error{ErrorCode::kCorrupt,
                   "the key '" + Printable(row.key) + "' of the metadata is corrupt"};
    }
    referrers.push_back(*std::move(referrer));
  }
  return referrers;
}

Result<uint64_t> CountOrphanedRows(const MetaView& view) {
  uint64_t count = 0;
  for (ScanRange range{.prefix = std::string(keys::kOrphaned), .limit = kRowsPerScan};;) {
    TRY(const std::vector<KeyValue> rows, view.Scan(range));
    count += rows.size();
    if (rows.size() < range.limit || count >= kMaxOrphaned) return std::min(count, kMaxOrphaned);
    range.after = rows.back().key;
  }
}

void LogSkippedRow(const Log& log, const Error& why) {
  log.Warning("corrupt row skipped: content stays", {{"error", why.message}});
}

Result<void> CountOrphaned(MetaTransaction& transaction, const ContentKey& content,
                           const v1::ManifestRow& manifest, v1::UntaggedRow& candidate) {
  return Count(transaction, content, manifest, candidate);
}

Result<void> CountOrphaned(const MetaView& view, const ContentKey& content,
                           const v1::ManifestRow& manifest, v1::UntaggedRow& candidate) {
  return Count(view, content, manifest, candidate);
}

}  // namespace outport::store
