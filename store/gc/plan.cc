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

}  // namespace

bool MatchesGlob(const std::string& glob, const RepositoryName& repository) {
  return glob.empty() || MatchesPattern(glob, repository.ToString());
}

std::string TextOf(const v1::PlanItem& item) {
  return item.kind() + " " + item.repository() + "@" + item.digest();
}

Result<Fate> FateOfLink(const MetaView& view, const Collection& then, const QueuedLink& queued,
                        v1::LinkRow& row) {
  const auto& [repository, digest] = queued.content;
  TRY(const auto link, ReadRow<v1::LinkRow>(view, keys::Link(repository, digest)));
  if (!link.has_value()) return Fate::kGone;
  row = *link;
  if (row.due_ms() != queued.due_ms || then.DueMs(row) > then.now_ms()) return Fate::kStays;
  TRY(const auto reference, Collection::FindReference(view, repository, digest));
  if (reference.has_value()) return Fate::kStays;
  // A run locks the blob's row, and leaves the link alone if it cannot read that row.
  TRY_VOID(ReadRow<v1::BlobRow>(view, keys::Blob(digest)));
  return Fate::kGoes;
}

Result<Fate> FateOfManifest(const MetaView& view, int64_t then_ms, const CollectionTimes& times,
                            const ContentKey& content, v1::UntaggedRow& candidate,
                            v1::ManifestRow& row) {
  const auto& [repository, digest] = content;
  TRY(const auto manifest, ReadRow<v1::ManifestRow>(view, keys::ManifestOf(repository, digest)));
  if (!manifest.has_value()) return Fate::kGone;
  row = *manifest;
  TRY_VOID(CountOrphaned(view, content, row, candidate));
  if (KeptUntilMs(candidate, row, times) > then_ms) return Fate::kStays;
  TRY(const bool referenced, IsManifestReferenced(view, content, row));
  return referenced ? Fate::kStays : Fate::kGoes;
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
  if (plan_.items.empty() && plan_.waiting == 0) {
    TRY(plan_.no_repository, MatchesNone());
  }
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
      if (queued.due_ms > until_ms_ || IsFull()) return {};
      TRY_VOID(AddLink(queued));
    }
    if (rows.size() < range.limit) return {};
    range.after = rows.back().key;
  }
}

Result<void> Planner::AddLink(const QueuedLink& queued) {
  const auto& [repository, digest] = queued.content;
  if (!Matches(repository)) return {};
  v1::LinkRow link;
  const Result<Fate> fate = FateOfLink(view_, Collection(times_, until_ms_), queued, link);
  if (IsCorrupt(fate)) {
    Skip(fate.error());
    return {};
  }
  TRY_VOID(fate);
  if (*fate != Fate::kGoes) return {};
  PlannedItem item{.shown = {}, .content = queued.content};
  item.shown.set_kind("link");
  item.shown.set_repository(repository.ToString());
  item.shown.set_digest(digest.ToString());
  item.shown.set_reason(v1::PLAN_REASON_UNREFERENCED);
  item.shown.set_since_ms(link.condemned_ms());
  // A link with a place in the queue that is not due may have been touched since.
  const int64_t due_ms = std::max(queued.due_ms, Collection(times_, as_of_ms_).DueMs(link));
  item.shown.set_due_ms(options_.within_ms() == 0 ? queued.due_ms : due_ms);
  item.shown.set_size_bytes(link.size_bytes());
  v1::PullRow pull;
  pull.set_last_ms(link.pulled_ms());
  pull.set_node(link.pulled_at());
  ShowPull(pull, item);
  plan_.items.push_back(std::move(item));
  return {};
}

Result<void> Planner::AddManifests() {
  const CandidateScan scan{
      .view = view_,
      .matches = [this](const RepositoryName& repository) { return Matches(repository); },
      .skipped = [this](const Error& why) { Skip(why); }};
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
  v1::ManifestRow row;
  const Result<Fate> fate = FateOfManifest(view_, as_of_ms_, times_, content, candidate, row);
  if (IsCorrupt(fate)) {
    Skip(fate.error());
    return {};
  }
  TRY_VOID(fate);
  if (*fate != Fate::kGoes) return {};
  PlannedItem item{.shown = {}, .content = content};
  item.shown.set_kind("manifest");
  item.shown.set_repository(repository.ToString());
  item.shown.set_digest(digest.ToString());
  item.shown.set_reason(row.subject().empty() ? v1::PLAN_REASON_UNTAGGED
                                              : v1::PLAN_REASON_NO_SUBJECT);
  item.shown.set_since_ms(candidate.since_ms());
  item.shown.set_size_bytes(row.size_bytes());
  TRY_VOID(AddPull(item));
  plan_.items.push_back(std::move(item));
  return {};
}

void Planner::Skip(const Error& why) {
  if (plan_.skipped.size() < kMaxSkippedRows) plan_.skipped.push_back(why);
}

Result<void> Planner::AddPull(PlannedItem& item) {
  const RepositoryName& repository = item.content.repository;
  if (!pulls_.has_value() || pulls_->repository != repository) pulls_.emplace(view_, repository);
  TRY(const LastPull last, pulls_->search.LastPullOf(item.content.digest));
  if (last.row.has_value()) ShowPull(*last.row, item);
  return {};
}

void Planner::ShowPull(const v1::PullRow& pull, PlannedItem& item) {
  if (pull.last_ms() == 0) return;
  item.shown.set_last_pulled_ms(pull.last_ms());
  item.shown.set_last_pulled_at(pull.node());
  if (pull.last_ms() + kRecent.count() > as_of_ms_) ++plan_.recently_pulled;
  if (pull.last_ms() > plan_.last_pull.last_ms()) plan_.last_pull = pull;
}

// Counts the links of the plan's repositories that are condemned but not due. They are in the rest
// of the queue.
Result<void> Planner::CountWaiting() {
  // A key with this time is followed by a NUL, which is smaller than this byte.
  ScanRange range{.prefix = std::string(keys::kCondemned),
                  .after = std::string(keys::kCondemned) + keys::TimeText(until_ms_) + '\x01',
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

// Returns whether the glob matches no repository. A misspelt name otherwise looks like a repository
// without garbage. Reads only the repositories with the glob's first letters, and at most
// kMaxRepositories of them.
Result<bool> Planner::MatchesNone() const {
  const std::string& glob = options_.repositories();
  if (glob.empty()) return false;
  ScanRange range{.prefix = std::string(keys::kRepositories) + glob.substr(0, glob.find('*')),
                  .limit = kRowsPerScan};
  for (uint64_t read = 0; read < kMaxRepositories;) {
    TRY(const std::vector<KeyValue> rows, view_.Scan(range));
    for (const KeyValue& row : rows) {
      const auto name = RepositoryName::Parse(row.key.substr(keys::kRepositories.size()));
      if (name.has_value() && Matches(*name)) return false;
    }
    read += rows.size();
    if (rows.size() < range.limit) return true;
    range.after = rows.back().key;
  }
  return false;
}

// Sets what each item frees. Bytes that several items share belong to the first of them.
Result<void> Planner::CountBytes() {
  FreedBytes bytes(view_, limits_);
  for (const PlannedItem& item : plan_.items) {
    if (item.is_link()) {
      bytes.AddLink(item.content, item.shown.size_bytes());
    } else {
      bytes.AddManifest(item.content);
    }
  }
  TRY(const std::vector<FreedBytes::Freed> freed, bytes.Count());
  plan_.freed_is_minimum = bytes.is_minimum();
  v1::RunCounts& counts = plan_.counts;
  for (size_t i = 0; i < freed.size(); ++i) {
    PlannedItem& item = plan_.items[i];
    item.shown.set_freed_bytes(freed[i].bytes());
    plan_.freed_bytes += freed[i].bytes();
    plan_.freed_later_bytes += freed[i].later_bytes;
    if (item.is_link()) {
      counts.set_links(counts.links() + 1);
      counts.set_blobs(counts.blobs() + freed[i].blobs);
      counts.set_blob_bytes(counts.blob_bytes() + freed[i].now_bytes);
    } else {
      counts.set_manifests(counts.manifests() + 1);
    }
  }
  return {};
}

}  // namespace outport::store
