#include "store/gc/collector_jobs.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"
#include "store/gc/candidates.h"
#include "store/gc/link_sweep.h"
#include "store/gc/manifest_sweep.h"

namespace outport::store {
namespace {

constexpr size_t kManifestsPerStep = 16;  // each in a transaction of its own
constexpr size_t kCandidatesPerStep = 64;
constexpr int kMaxPasses = 32;  // more than any nesting of indexes

}  // namespace

Result<uint64_t> PlannedJob::Step() {
  const size_t first = next_;
  if (first == items_.size()) {
    TRY_VOID(run_->End(v1::RUN_STATE_DONE));
    return uint64_t{0};
  }
  std::vector<QueuedLink> links;
  size_t end_of_links = first;
  while (end_of_links < items_.size() && items_[end_of_links].is_link() &&
         links.size() < LinkSweep::kBatch) {
    const PlannedItem& item = items_[end_of_links++];
    links.push_back({.due_ms = item.shown.due_ms(), .content = item.content});
  }
  if (!links.empty()) {
    TRY_VOID(LinkSweep(parts_, *run_).Run(std::move(links)));
    next_ = end_of_links;  // not before: a step that waits too long for a lock is repeated
    return next_ - first;
  }
  const size_t end = std::min(first + kManifestsPerStep, items_.size());
  const StepTime time(parts_.clock);
  while (next_ < end && !time.IsOver()) {
    TRY_VOID(RemoveManifest(items_[next_].content));
    ++next_;
  }
  return next_ - first;
}

Result<void> PlannedJob::RemoveManifest(const ContentKey& content) {
  TRY(const ManifestSweep::Outcome outcome, ManifestSweep(parts_, *run_).Remove(content));
  if (outcome == ManifestSweep::Outcome::kRemoved) return {};
  return run_->Transact([outcome](MetaTransaction&, v1::RunRow& next) -> Result<void> {
    if (outcome == ManifestSweep::Outcome::kGone) {
      next.set_gone(next.gone() + 1);
    } else {
      next.set_kept(next.kept() + 1);
    }
    return {};
  });
}

Result<void> PlannedJob::Fail(const Error& why) {
  return run_->End(v1::RUN_STATE_FAILED, why.message);
}

Result<uint64_t> SweepJob::Step() {
  if (manifests_) {
    TRY(const uint64_t seen, SweepManifests());
    if (seen > 0) return seen;
    const bool again = std::exchange(removed_, false) && ++passes_ < kMaxPasses;
    after_.clear();
    if (again) return uint64_t{1};
    manifests_ = false;
  }
  TRY(const uint64_t seen, SweepLinks());
  if (seen > 0) return seen;
  TRY_VOID(run_->End(v1::RUN_STATE_DONE));
  return uint64_t{0};
}

Result<uint64_t> SweepJob::SweepManifests() {
  TRY(const std::vector<KeyValue> rows,
      parts_.meta.Scan(
          {.prefix = std::string(keys::kUntagged), .after = after_, .limit = kCandidatesPerStep}));
  const int64_t now_ms = parts_.store_clock.NowMs();
  const StepTime time(parts_.clock);
  uint64_t seen = 0;
  uint64_t tried = 0;
  for (const KeyValue& row : rows) {
    const Result<ContentKey> content = ParseContentKey(row.key, keys::kUntagged);
    const Result<v1::UntaggedRow> candidate = content.has_value()
                                                  ? ParseRow<v1::UntaggedRow>(row.key, row.value)
                                                  : Result<v1::UntaggedRow>(content.error());
    if (!candidate.has_value()) run_->Skip(candidate.error());
    const bool wanted = candidate.has_value() &&
                        MatchesGlob(run_->row().repositories(), content->repository) &&
                        candidate->since_ms() + parts_.times.grace.count() <= now_ms;
    if (wanted) {
      TRY(const ManifestSweep::Outcome outcome, ManifestSweep(parts_, *run_).Remove(*content));
      removed_ = removed_ || outcome == ManifestSweep::Outcome::kRemoved;
      ++tried;
    }
    ++seen;
    after_ = row.key;  // not before: a step that waits too long for a lock is repeated
    if (tried == kManifestsPerStep || time.IsOver()) break;
  }
  return seen;
}

Result<uint64_t> SweepJob::SweepLinks() {
  TRY(const std::vector<QueuedLink> due,
      ReadDueLinks(parts_.meta, parts_.store_clock.NowMs(), after_, LinkSweep::kBatch));
  if (due.empty()) return uint64_t{0};
  const QueuedLink& last = due.back();
  std::vector<QueuedLink> matching;
  std::ranges::copy_if(due, std::back_inserter(matching), [&](const QueuedLink& link) {
    return MatchesGlob(run_->row().repositories(), link.content.repository);
  });
  if (!matching.empty()) TRY_VOID(LinkSweep(parts_, *run_).Run(std::move(matching)));
  after_ = KeyOf(last);
  return due.size();
}

Result<void> SweepJob::Fail(const Error& why) {
  return run_->End(v1::RUN_STATE_FAILED, why.message);
}

}  // namespace outport::store
