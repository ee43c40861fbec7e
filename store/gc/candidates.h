#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/gc/content_key.h"

// The manifests that may be unreferenced: those with a row untagged/, and the referrers of removed
// manifests that rows orphaned/ name, of which the collector has not made candidates yet. All
// functions block.
namespace outport::store {

// The candidates that a scan visits.
struct CandidateScan {
  const MetaView& view;
  std::optional<RepositoryName> repository = {};  // only this one; nullopt: all
  // The repositories that the scan visits. Stays valid as long as the scan.
  std::function<bool(const RepositoryName&)> matches = [](const RepositoryName&) { return true; };
  // The scan calls it for each corrupt row, and goes on with the next row.
  std::function<void(const Error&)> skipped = [](const Error&) {};
};

// Calls `visit` for each candidate, once, in no particular order. `visit` returns whether to
// continue. The row of a candidate that has none tells when its subject was removed. Does not visit
// the manifests that a corrupt row names, and the referrers behind a corrupt row of a referrer.
using VisitCandidate = std::function<Result<bool>(const ContentKey&, const v1::UntaggedRow&)>;
Result<void> ForEachCandidate(const CandidateScan& scan, const VisitCandidate& visit);

// Returns the next referrers of a manifest in byte order, after the one with the text `after`. At
// most `limit` of them, and fewer if their rows are large: only an empty result proves that there
// are no more. kCorrupt if a row names no digest.
Result<std::vector<Digest>> ReadReferrers(const MetaView& view, const ContentKey& subject,
                                          const std::string& after, size_t limit);

// Returns the number of removed manifests whose referrers may not be candidates yet. Corrupt rows
// count, too. Counts up to kMaxOrphaned.
inline constexpr uint64_t kMaxOrphaned = 10'000;
Result<uint64_t> CountOrphanedRows(const MetaView& view);

// Of the corrupt rows that a plan or a run has skipped, it names only the first ones.
inline constexpr size_t kMaxSkippedRows = 10;

// Logs that a row is corrupt, so that the manifests or the link that it decides about stay.
void LogSkippedRow(const Log& log, const Error& why);

// Moves the time of the candidate to the removal of its subject, if that is later and not yet in
// the candidate's row. If the row of that removal is corrupt, moves the time so far into the future
// that the candidate stays. `manifest` is the candidate's row manifest/.
Result<void> CountOrphaned(MetaTransaction& transaction, const ContentKey& content,
                           const v1::ManifestRow& manifest, v1::UntaggedRow& candidate);
Result<void> CountOrphaned(const MetaView& view, const ContentKey& content,
                           const v1::ManifestRow& manifest, v1::UntaggedRow& candidate);

}  // namespace outport::store
