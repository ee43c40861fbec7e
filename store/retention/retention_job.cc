#include "store/retention/retention_job.h"

#include <algorithm>
#include <chrono>

#include "registry/records/rows.h"
#include "store/content/manifest_removal.h"
#include "store/content/pulls.h"
#include "store/content/trash.h"
#include "store/gc/manifest_sweep.h"
#include "store/retention/repository_tags.h"

namespace outport::store {

Result<uint64_t> RetentionJob::Step() {
  if (next_tag_ < plan_.tags.size()) return DeleteTags();
  if (next_manifest_ < plan_.manifests.size()) return RemoveManifests();
  TRY_VOID(run_->End(v1::RUN_STATE_DONE));
  return uint64_t{0};
}

// Deletes the next tags of one repository, in byte order of their names.
Result<uint64_t> RetentionJob::DeleteTags() {
  const RepositoryName& repository = plan_.tags[next_tag_].content.repository;
  size_t end = next_tag_;
  while (end < plan_.tags.size() && end - next_tag_ < kTagsPerStep &&
         plan_.tags[end].content.repository == repository) {
    ++end;
  }
  TRY_VOID(run_->Transact([&](MetaTransaction& transaction, v1::RunRow& row) -> Result<void> {
    // Lock all tags before the first deletion locks a row of a manifest. A push locks its tags
    // before these rows, too, so neither waits for the other in a circle.
    for (size_t i = next_tag_; i < end; ++i) {
      TRY(const auto tag, transaction.GetForUpdate(keys::TagOf(repository, plan_.tags[i].tag)));
    }
    TRY(const TagProtection protection, TagProtection::Read(transaction, repository));
    for (size_t i = next_tag_; i < end; ++i) {
      TRY(const bool deleted, DeleteTag(transaction, plan_.tags[i], protection));
      if (deleted) {
        row.mutable_removed()->set_tags(row.removed().tags() + 1);
      } else {
        row.set_kept(row.kept() + 1);
      }
    }
    return {};
  }));
  return end - std::exchange(next_tag_, end);
}

Result<bool> RetentionJob::DeleteTag(MetaTransaction& transaction, const DroppedTag& dropped,
                                     const TagProtection& protection) const {
  const auto& [repository, digest] = dropped.content;
  TRY(const auto row, LockRow<v1::TagRow>(transaction, keys::TagOf(repository, dropped.tag)));
  const bool same = row.has_value() && row->digest() == digest.ToString() &&
                    row->updated_ms() == dropped.pushed_ms;
  if (!same || protection.Find(dropped.tag) != nullptr) return false;
  TRY(const bool has_subject, HasSubject(parts_.meta, repository, dropped.tag, digest));
  if (has_subject) return false;
  TRY(const bool pulled, IsPulledSince(dropped));
  if (pulled) return false;
  const Collection collection = parts_.Now();
  TRY_VOID(RemoveTag(transaction, repository, dropped.tag, collection, run_->auditor(),
                     "retention " + dropped.policy));
  TRY_VOID(TrashTag(transaction, run_->id(), repository, dropped.tag, *row, collection.now_ms()));
  return true;
}

Result<bool> RetentionJob::IsPulledSince(const DroppedTag& dropped) const {
  if (!dropped.looks_at_pulls) return false;
  TRY(const auto pull,
      LastPullOf(parts_.meta, dropped.content.repository, dropped.tag, dropped.content.digest));
  return pull.has_value() && pull->last_ms() > dropped.pulled_ms;
}

Result<uint64_t> RetentionJob::RemoveManifests() {
  const size_t first = next_manifest_;
  const size_t end = std::min(first + kManifestsPerStep, plan_.manifests.size());
  const StepTime time(parts_.clock);
  for (; next_manifest_ < end && !time.IsOver(); ++next_manifest_) {
    const DroppedManifest& dropped = plan_.manifests[next_manifest_];
    TRY(const bool pulled,
        KeptByPull(parts_.meta, dropped.content, dropped.keep_for_ms, parts_.store_clock.NowMs()));
    auto outcome = ManifestSweep::Outcome::kWaits;
    if (!pulled) {
      TRY(outcome, ManifestSweep(parts_, *run_, std::chrono::milliseconds(dropped.keep_for_ms))
                       .Remove(dropped.content));
    }
    if (outcome != ManifestSweep::Outcome::kWaits &&
        outcome != ManifestSweep::Outcome::kReferenced) {
      continue;
    }
    TRY_VOID(run_->Transact([](MetaTransaction&, v1::RunRow& row) -> Result<void> {
      row.set_kept(row.kept() + 1);
      return {};
    }));
  }
  return next_manifest_ - first;
}

Result<void> RetentionJob::Fail(const Error& why) {
  return run_->End(v1::RUN_STATE_FAILED, why.message);
}

}  // namespace outport::store
