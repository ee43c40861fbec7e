#include "store/retention/retention_job.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

#include "registry/records/rows.h"
#include "store/content/manifest_removal.h"
#include "store/content/pull_search.h"
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

// Looks at the next tags of one repository, in byte order of their names. The search for pulls may
// take long, so it holds no locks.
Result<std::vector<RetentionJob::Looked>> RetentionJob::LookAtTags() const {
  const RepositoryName& repository = plan_.tags[next_tag_].content.repository;
  PullSearch pulls(parts_.meta, repository);
  const StepTime time(parts_.clock);
  std::vector<Looked> tags;
  for (size_t i = next_tag_; i < plan_.tags.size() && tags.size() < kTagsPerStep; ++i) {
    const DroppedTag& dropped = plan_.tags[i];
    if (dropped.content.repository != repository || (!tags.empty() && time.IsOver())) break;
    Looked looked{.dropped = dropped};
    TRY(looked.subjects, SubjectsOf(parts_.meta, repository, dropped.tag, dropped.content.digest));
    if (dropped.looks_at_pulls) {
      TRY(const LastPull pull, pulls.LastPullOf(dropped.tag, dropped.content.digest));
      // The plan drops a tag without knowing its pulls only if no entry asks for them.
      looked.is_pulled = (dropped.pulls_known && !pull.is_complete) ||
                         (pull.row.has_value() && pull.row->last_ms() > dropped.pulled_ms);
    }
    tags.push_back(std::move(looked));
  }
  return tags;
}

// Deletes the next tags of one repository.
Result<uint64_t> RetentionJob::DeleteTags() {
  const RepositoryName& repository = plan_.tags[next_tag_].content.repository;
  TRY(const std::vector<Looked> tags, LookAtTags());
  std::set<std::string> subjects;
  for (const Looked& looked : tags) {
    for (const Digest& subject : looked.subjects) {
      subjects.insert(keys::ManifestOf(repository, subject));
    }
  }
  TRY_VOID(run_->Transact([&](MetaTransaction& transaction, v1::RunRow& row) -> Result<void> {
    // Lock all tags before the first deletion locks a row of a manifest. A push locks the manifest
    // and then its tags before these rows, too, so neither waits for the other in a circle. A push
    // of a subject comes before this transaction, which then keeps the tag, or after it.
    for (const std::string& subject : subjects) {
      TRY(const auto locked, transaction.GetForUpdate(subject));
    }
    for (const Looked& looked : tags) {
      TRY(const auto tag, transaction.GetForUpdate(keys::TagOf(repository, looked.dropped.tag)));
    }
    TRY(const TagProtection protection, TagProtection::Read(transaction, repository));
    for (const Looked& looked : tags) {
      TRY(const bool deleted, DeleteTag(transaction, looked, protection));
      if (deleted) {
        row.mutable_removed()->set_tags(row.removed().tags() + 1);
      } else {
        row.set_kept(row.kept() + 1);
      }
    }
    return {};
  }));
  next_tag_ += tags.size();
  return tags.size();
}

Result<bool> RetentionJob::DeleteTag(MetaTransaction& transaction, const Looked& looked,
                                     const TagProtection& protection) const {
  const DroppedTag& dropped = looked.dropped;
  const auto& [repository, digest] = dropped.content;
  TRY(const auto row, LockRow<v1::TagRow>(transaction, keys::TagOf(repository, dropped.tag)));
  const bool same = row.has_value() && row->digest() == digest.ToString() &&
                    row->updated_ms() == dropped.pushed_ms;
  if (!same || looked.is_pulled || protection.Find(dropped.tag) != nullptr) return false;
  for (const Digest& subject : looked.subjects) {
    TRY(const bool here, HasRow(transaction, keys::ManifestOf(repository, subject)));
    if (here) return false;
  }
  TRY(const bool pulled, IsPulledNow(transaction, dropped));
  if (pulled) return false;
  const Collection collection = parts_.Now();
  TRY(auto deletion, RemoveTag(transaction, repository, dropped.tag, collection, run_->auditor(),
                               "retention " + dropped.policy));
  TRY_VOID(TrashTag(transaction, run_->id(), std::move(deletion), collection.now_ms()));
  return true;
}

// The second look, under locks: at the rows of the tag and of its digest only. Locks the row of the
// tag, which the deletion of the tag deletes.
Result<bool> RetentionJob::IsPulledNow(MetaTransaction& transaction, const DroppedTag& dropped) {
  if (!dropped.looks_at_pulls) return false;
  const auto& [repository, digest] = dropped.content;
  TRY(const auto by_tag,
      LockRow<v1::PullRow>(transaction, keys::Pull(repository, dropped.tag.ToString())));
  TRY(const auto by_digest,
      ReadRow<v1::PullRow>(transaction, keys::Pull(repository, digest.ToString())));
  for (const auto& pull : {by_tag, by_digest}) {
    if (pull.has_value() && pull->last_ms() > dropped.pulled_ms) return true;
  }
  return false;
}

Result<uint64_t> RetentionJob::RemoveManifests() {
  const size_t first = next_manifest_;
  const size_t end = std::min(first + kManifestsPerStep, plan_.manifests.size());
  const StepTime time(parts_.clock);
  for (; next_manifest_ < end && !time.IsOver(); ++next_manifest_) {
    const DroppedManifest& dropped = plan_.manifests[next_manifest_];
    const auto& [repository, digest] = dropped.content;
    PullSearch pulls(parts_.meta, repository);
    TRY(const bool pulled,
        KeptByPull(pulls, digest, dropped.keep_for_ms, parts_.store_clock.NowMs()));
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
