#include "store/gc/manifest_sweep.h"

#include <optional>
#include <utility>
#include <vector>

#include "registry/records/rows.h"
#include "store/content/manifest_removal.h"
#include "store/gc/candidates.h"
#include "store/gc/manifest_content.h"

namespace outport::store {

struct ManifestSweep::Candidate {
  const ContentKey& content;
  bool here = false;  // the repository has the manifest
  std::optional<Manifest> manifest = {};
  std::optional<Digest> subject = {};
};

Result<ManifestSweep::Outcome> ManifestSweep::Remove(const ContentKey& content) {
  Result<Outcome> outcome = TryRemove(content);
  if (!IsCorrupt(outcome)) return outcome;
  run_.Skip(outcome.error());
  return Outcome::kWaits;
}

Result<ManifestSweep::Outcome> ManifestSweep::TryRemove(const ContentKey& content) {
  Candidate candidate{.content = content};
  TRY(const auto row,
      ReadRow<v1::ManifestRow>(parts_.meta, keys::ManifestOf(content.repository, content.digest)));
  candidate.here = row.has_value();
  if (candidate.here) {
    Result<std::optional<Manifest>> read =
        ReadManifest(parts_.meta, content.digest, row->media_type());
    if (!read.has_value()) return Outcome::kWaits;
    candidate.manifest = *std::move(read);
    TRY(candidate.subject, SubjectOf(*row));
  }
  Outcome outcome = Outcome::kGone;
  TRY_VOID(run_.Transact([&](MetaTransaction& transaction, v1::RunRow& run) -> Result<void> {
    TRY(outcome, RemoveLocked(transaction, candidate, run));
    return {};
  }));
  return outcome;
}

Result<ManifestSweep::Outcome> ManifestSweep::RemoveLocked(MetaTransaction& transaction,
                                                           const Candidate& candidate,
                                                           v1::RunRow& run) const {
  const auto& [repository, digest] = candidate.content;
  const std::optional<Manifest>& manifest = candidate.manifest;
  const Collection collection = parts_.Now();
  const ManifestRemoval removal(
      {.repository = repository,
       .digest = digest,
       .blobs = manifest.has_value() ? manifest->blobs : std::vector<Descriptor>(),
       .manifests = manifest.has_value() ? manifest->manifests : std::vector<Descriptor>(),
       .children_known = manifest.has_value(),
       .subject = candidate.subject,
       .collection = collection,
       .run = run.id(),
       .auditor = run_.auditor()});
  TRY(const auto row, removal.Lock(transaction));
  // A transaction that takes a tag away locks this row, but not the manifest. So lock the row
  // before the look at the tags. Otherwise the manifest could lose its last tag and its place among
  // the candidates at the same time.
  const std::string key = keys::Untagged(repository, digest);
  TRY(auto untagged, LockRow<v1::UntaggedRow>(transaction, key));
  if (!row.has_value()) {
    if (untagged.has_value()) TRY_VOID(transaction.Delete(key));
    return Outcome::kGone;
  }
  if (!untagged.has_value()) return Outcome::kReferenced;
  if (!manifest.has_value()) {
    // If a push brought the manifest or its right bytes since they were read, its children are
    // unknown.
    TRY(const std::optional<Manifest> now, ReadManifest(parts_.meta, digest, row->media_type()));
    if (!candidate.here || now.has_value()) return Outcome::kWaits;
  }
  TRY(const bool referenced, IsManifestReferenced(transaction, candidate.content, *row));
  if (referenced) {
    TRY_VOID(transaction.Delete(key));
    return Outcome::kReferenced;
  }
  TRY_VOID(CountOrphaned(transaction, candidate.content, *row, *untagged));
  const int64_t until_ms = KeptUntilMs(*untagged, *row, parts_.times, keep_for_.count());
  if (until_ms > collection.now_ms() || parts_.StepWait().count() > 0) return Outcome::kWaits;
  bool done = false;  // the removal sets it to true: an unreferenced manifest has no tags
  TRY_VOID(removal.Run(transaction, done));
  run.mutable_removed()->set_manifests(run.removed().manifests() + 1);
  return Outcome::kRemoved;
}

}  // namespace outport::store
