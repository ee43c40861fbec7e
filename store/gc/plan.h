#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "outport/v1/gc.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"
#include "store/content/pull_search.h"
#include "store/gc/content_key.h"
#include "store/gc/freed_bytes.h"

namespace outport::store {

// Names an item of a plan: "link team/app@sha256:…".
std::string TextOf(const v1::PlanItem& item);

// One item of a plan.
struct PlannedItem {
  v1::PlanItem shown;
  ContentKey content;
  bool is_link() const { return shown.kind() == "link"; }
};

// The items that a run would remove.
struct Plan {
  std::string name;
  std::vector<PlannedItem> items;  // first the links in the order of the queue, then the manifests
  v1::RunCounts counts;
  uint64_t freed_bytes = 0;
  uint64_t freed_later_bytes = 0;
  bool freed_is_minimum = false;  // there are too many references to count all bytes
  uint64_t recently_pulled = 0;   // items with a pull within Planner::kRecent
  v1::PullRow last_pull;          // of any item; without a time if no pull is known
  bool cut = false;               // the plan ends at kMaxItems
  uint64_t waiting = 0;
  int64_t next_due_ms = 0;
  bool no_repository = false;  // the plan is empty, and the glob matches no repository
  std::vector<std::string> nodes_without_report;
  std::vector<Error>
      skipped;  // corrupt rows, at most kMaxSkippedRows; what they decide about stays
};

// The fate of a link or a manifest in a run.
enum class Fate {
  kGoes,   // a run may remove it
  kStays,  // something refers to it, or its grace period or its lease is not over
  kGone,   // the repository does not have it
};
// Returns what becomes of a link at this time. `queued` is its place in the queue: a link with
// another place stays. Reads the link's row into `row`. kCorrupt if a row is corrupt on which the
// fate depends.
Result<Fate> FateOfLink(const MetaView& view, const Collection& then, const QueuedLink& queued,
                        v1::LinkRow& row);
// Returns what becomes of a candidate at this time. Reads the manifest's row into `row`, and moves
// the time of `candidate` to the removal of the subject.
Result<Fate> FateOfManifest(const MetaView& view, int64_t then_ms, const CollectionTimes& times,
                            const ContentKey& content, v1::UntaggedRow& candidate,
                            v1::ManifestRow& row);

// Makes plans. Reads the queue, the candidates, and what they refer to: the cost follows the
// garbage and not the size of the store. For one thread; blocks.
class Planner {
 public:
  static constexpr size_t kMaxItems = 100'000;
  static constexpr uint64_t kMaxWaiting = 100'000;       // links that the count of `waiting` reads
  static constexpr uint64_t kMaxRepositories = 100'000;  // that the search for a match reads
  static constexpr std::chrono::milliseconds kRecent = std::chrono::days(7);  // of a pull

  // The most manifests that the count of the bytes follows; more than a plan has.
  static constexpr FreedBytes::Limits kFreedLimits{.manifests = kMaxItems + 20'000};

  // `view` outlives this object; a snapshot, so that all reads agree. `options` says what to plan,
  // `as_of_ms` is a time of the store clock that is not in the future.
  Planner(const MetaView& view, const CollectionTimes& times, v1::PlanOptions options,
          int64_t as_of_ms, const FreedBytes::Limits& limits = kFreedLimits)
      : view_(view),
        times_(times),
        options_(std::move(options)),
        as_of_ms_(as_of_ms),
        until_ms_(as_of_ms + options_.within_ms()),
        limits_(limits) {}

  // `nodes_without_report` are the nodes whose report of recent pulls is missing. If there is one
  // that the options do not ignore, no manifest is in the plan.
  Result<Plan> Make(const std::vector<std::string>& nodes_without_report);

 private:
  Result<void> AddLinks();
  Result<void> AddLink(const QueuedLink& queued);
  Result<void> AddManifests();
  Result<void> AddManifest(const ContentKey& content, v1::UntaggedRow candidate);
  void Skip(const Error& why);
  Result<void> AddPull(PlannedItem& item);
  void ShowPull(const v1::PullRow& pull, PlannedItem& item);
  Result<void> CountWaiting();
  Result<bool> MatchesNone() const;
  Result<void> CountBytes();
  bool Matches(const RepositoryName& repository) const;
  bool IsFull();

  // The pulls of one repository.
  struct Pulls {
    Pulls(const MetaView& view, RepositoryName name)
        : repository(std::move(name)), search(view, repository) {}
    const RepositoryName repository;
    PullSearch search;
  };

  const MetaView& view_;
  const CollectionTimes times_;
  const v1::PlanOptions options_;
  const int64_t as_of_ms_;
  const int64_t until_ms_;  // the plan has the links that are due until then
  const FreedBytes::Limits limits_;
  Plan plan_;
  std::optional<Pulls> pulls_;  // of the repository of the last manifest
};

// Returns whether the glob of a request matches a repository. An empty glob matches all.
bool MatchesGlob(const std::string& glob, const RepositoryName& repository);

}  // namespace outport::store
