#include "store/gc/plan.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"
#include "registry/security/grants/pattern.h"
#include "store/content/pull_search.h"
#include "store/gc/candidates.h"
#include "store/gc/manifest_content.h"
#include "store/gc/plan_name.h"
#include "store/gc/runs.h"

namespace outport::store {
namespace {

constexpr size_t kRowsPerScan = 1000;
// A digest that more repositories or manifests than this refer to counts as not freed.
constexpr size_t kMaxReferences = 100;

// Returns whether `holds(rest)`, which returns a Result<bool>, is true for the rest of each key
// with this prefix. Stops at the first key for which it is not. Returns false if there are more
// keys than kMaxReferences.
template <class Holds>
Result<bool> HoldsForAll(const MetaView& view, const std::string& prefix, Holds holds) {
  TRY(const std::vector<KeyValue> rows, view.Scan({.prefix = prefix, .limit = kMaxReferences + 1}));
  if (rows.size() > kMaxReferences) return false;
  for (const KeyValue& row : rows) {
    TRY(const bool held, holds(keys::After(row.key, prefix)));
    if (!held) return false;
  }
  return true;
}

}  // namespace

bool MatchesGlob(const std::string& glob, const RepositoryName& repository) {
  return glob.empty() || MatchesPattern(glob, repository.ToString());
}

std::string TextOf(const v1::PlanItem& item) {
  return item.kind() + " " + item.repository() + "@" + item.digest();
}

bool Planner::Matches(const RepositoryName& repository) const {
  return MatchesGlob(options_.repositories(), repository);
}

bool Planner::IsFull() {
  plan_.cut = plan_.items.size() == kMaxItems;
  return plan_.cut;
}

Result<Plan> Planner::Make(const std::vector<std::string>& nodes_without_report) {
  TRY_VOID(AddLinks());
  const auto& ignored = options_.ignore_nodes();
  for (const std::string& node : nodes_without_report) {
    if (std::ranges::find(ignored, node) == ignored.end()) {
      plan_.nodes_without_report.push_back(node);
    }
  }
  if (options_.delete_untagged() && plan_.nodes_without_report.empty()) TRY_VOID(AddManifests());
  TRY_VOID(CountWaiting());
  TRY_VOID(CountBytes());
  std::vector<std::string> texts;
  texts.reserve(plan_.items.size());
  for (const PlannedItem& item : plan_.items) texts.push_back(TextOf(item.shown));
  const uint64_t items = texts.size();
  plan_.name = PlanName{as_of_ms_, items, HashOfItems(std::move(texts)), options_}.ToString();
  return std::move(plan_);
}

Result<void> Planner::AddLinks() {
  ScanRange range{.prefix = std::string(keys::kCondemned), .limit = kRowsPerScan};
  for (;;) {
    TRY(const std::vector<KeyValue> rows, view_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const QueuedLink queued, ParseQueuedLink(row.key));
      if (queued.due_ms > as_of_ms_ || IsFull()) return {};
      TRY_VOID(AddLink(queued));
    }
    if (rows.size() < range.limit) return {};
    range.after = rows.back().key;
  }
}

Result<void> Planner::AddLink(const QueuedLink& queued) {
  const auto& [repository, digest] = queued.content;
  if (!Matches(repository)) return {};
  TRY(const auto link, ReadRow<v1::LinkRow>(view_, keys::Link(repository, digest)));
  if (!link.has_value() || link->due_ms() != queued.due_ms) return {};
  if (Collection(times_, as_of_ms_).DueMs(*link) > as_of_ms_) return {};
  TRY(const auto reference, Collection::FindReference(view_, repository, digest));
  if (reference.has_value()) return {};
  PlannedItem item{.shown = {}, .content = queued.content, .due_ms = queued.due_ms};
  item.shown.set_kind("link");
  item.shown.set_repository(repository.ToString());
  item.shown.set_digest(digest.ToString());
  item.shown.set_reason(v1::PLAN_REASON_UNREFERENCED);
  item.shown.set_since_ms(link->condemned_ms());
  item.shown.set_size_bytes(link->size_bytes());
  links_.insert(queued.content);
  plan_.items.push_back(std::move(item));
  return {};
}

Result<void> Planner::AddManifests() {
  const CandidateScan scan{
      .view = view_,
      .matches = [this](const RepositoryName& repository) { return Matches(repository); },
      .skipped =
          [this](const Error& why) {
            if (plan_.skipped.size() < kMaxSkippedRows) plan_.skipped.push_back(why);
          }};
  const auto add = [this](const ContentKey& content,
                          const v1::UntaggedRow& candidate) -> Result<bool> {
    if (IsFull()) return false;
    TRY_VOID(AddManifest(content, candidate));
    return true;
  };
  return ForEachCandidate(scan, add);
}

Result<void> Planner::AddManifest(const ContentKey& content, v1::UntaggedRow candidate) {
  const auto& [repository, digest] = content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return {};
  TRY_VOID(CountOrphaned(view_, content, *row, candidate));
  if (KeptUntilMs(candidate, *row, times_.grace.count()) > as_of_ms_) return {};
  TRY(const bool referenced, IsManifestReferenced(view_, content, *row));
  if (referenced) return {};
  PlannedItem item{.shown = {}, .content = content};
  item.shown.set_kind("manifest");
  item.shown.set_repository(repository.ToString());
  item.shown.set_digest(digest.ToString());
  item.shown.set_reason(row->subject().empty() ? v1::PLAN_REASON_UNTAGGED
                                               : v1::PLAN_REASON_NO_SUBJECT);
  item.shown.set_since_ms(candidate.since_ms());
  item.shown.set_size_bytes(row->size_bytes());
  TRY_VOID(AddPull(item));
  manifests_.insert(content);
  plan_.items.push_back(std::move(item));
  return {};
}

Result<void> Planner::AddPull(PlannedItem& item) {
  const RepositoryName& repository = item.content.repository;
  if (!pulls_.has_value() || pulls_->repository != repository) pulls_.emplace(view_, repository);
  TRY(const LastPull last, pulls_->search.LastPullOf(item.content.digest));
  const std::optional<v1::PullRow>& pull = last.row;
  if (!pull.has_value()) return {};
  item.shown.set_last_pulled_ms(pull->last_ms());
  item.shown.set_last_pulled_at(pull->node());
  if (pull->last_ms() + kRecent.count() > as_of_ms_) ++plan_.recently_pulled;
  if (pull->last_ms() > plan_.last_pull.last_ms()) plan_.last_pull = *pull;
  return {};
}

// Counts the links of the plan's repositories that are condemned but not due. They are in the rest
// of the queue.
Result<void> Planner::CountWaiting() {
  // A key with this time is followed by a NUL, which is smaller than this byte.
  ScanRange range{.prefix = std::string(keys::kCondemned),
                  .after = std::string(keys::kCondemned) + keys::TimeText(as_of_ms_) + '\x01',
                  .limit = kRowsPerScan};
  for (uint64_t read = 0; read < kMaxWaiting;) {
    TRY(const std::vector<KeyValue> rows, view_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const QueuedLink queued, ParseQueuedLink(row.key));
      if (!Matches(queued.content.repository)) continue;
      if (plan_.waiting++ == 0) plan_.next_due_ms = queued.due_ms;
    }
    read += rows.size();
    if (rows.size() < range.limit) return {};
    range.after = rows.back().key;
  }
  return {};
}

// Sets what each item frees. Bytes that several items share belong to the first of them.
Result<void> Planner::CountBytes() {
  std::set<std::string> counted;
  for (PlannedItem& item : plan_.items) {
    const Digest& digest = item.content.digest;
    const bool first = counted.insert(item.shown.kind() + item.shown.digest()).second;
    uint64_t freed = 0;
    if (item.is_link()) {
      plan_.counts.set_links(plan_.counts.links() + 1);
      TRY(const bool goes, GoesWithPlan(digest));
      if (first && goes) {
        freed = item.shown.size_bytes();
        plan_.counts.set_blobs(plan_.counts.blobs() + 1);
        plan_.counts.set_blob_bytes(plan_.counts.blob_bytes() + freed);
      }
    } else {
      plan_.counts.set_manifests(plan_.counts.manifests() + 1);
      TRY(const bool last, IsLastHolder(digest));
      TRY(const uint64_t later, FreedLater(item));
      freed = (first && last ? item.shown.size_bytes() : 0) + later;
      plan_.freed_later_bytes += later;
    }
    item.shown.set_freed_bytes(freed);
    plan_.freed_bytes += freed;
  }
  return {};
}

// Returns whether all links of the blob are in the plan.
Result<bool> Planner::GoesWithPlan(const Digest& digest) const {
  return HoldsForAll(view_, keys::LinkedIn(digest), [&](std::string_view name) -> Result<bool> {
    TRY(RepositoryName repository, RepositoryName::Parse(name));
    return links_.contains(ContentKey{std::move(repository), digest});
  });
}

// Returns whether only manifests of the plan need the bytes of this manifest.
Result<bool> Planner::IsLastHolder(const Digest& digest) const {
  return HoldsForAll(view_, keys::HoldersOf(digest), [&](std::string_view name) -> Result<bool> {
    TRY(RepositoryName repository, RepositoryName::Parse(name));
    return manifests_.contains(ContentKey{std::move(repository), digest});
  });
}

// Returns the bytes of the manifest's blobs that nothing refers to after the run, except those that
// an earlier manifest of the plan shares or that the plan frees at once.
Result<uint64_t> Planner::FreedLater(const PlannedItem& item) {
  const auto& [repository, digest] = item.content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return uint64_t{0};
  const Result<std::optional<Manifest>> manifest = ReadManifest(view_, digest, row->media_type());
  if (!manifest.has_value() || !manifest->has_value()) return uint64_t{0};
  uint64_t bytes = 0;
  for (const Descriptor& blob : (*manifest)->blobs) {
    if (!seen_.insert(std::hash<Digest>()(blob.digest)).second) continue;
    TRY(const bool freed_now, GoesWithPlan(blob.digest));
    if (freed_now) continue;
    TRY(const bool loses, LosesItsReferences(blob.digest));
    if (loses) bytes += blob.size_bytes;
  }
  return bytes;
}

Result<bool> Planner::LosesItsReferences(const Digest& digest) const {
  return HoldsForAll(view_, keys::LinkedIn(digest), [&](std::string_view name) -> Result<bool> {
    TRY(RepositoryName repository, RepositoryName::Parse(name));
    return OnlyPlannedRefer(ContentKey{std::move(repository), digest});
  });
}

Result<bool> Planner::OnlyPlannedRefer(const ContentKey& content) const {
  const auto& [repository, digest] = content;
  const auto is_planned_or_gone = [&](std::string_view text) -> Result<bool> {
    TRY(Digest parent, Digest::Parse(text));
    TRY(const bool alive, HasRow(view_, keys::ManifestOf(content.repository, parent)));
    return !alive || manifests_.contains(ContentKey{content.repository, std::move(parent)});
  };
  return HoldsForAll(view_, keys::ReferencesTo(digest, repository), is_planned_or_gone);
}

}  // namespace outport::store
