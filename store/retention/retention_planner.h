#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "outport/v1/retention.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"
#include "store/content/pull_search.h"
#include "store/gc/content_key.h"
#include "store/retention/evaluation.h"

namespace outport::store {

// A tag that a run deletes, unless it was pushed or pulled since the plan.
struct DroppedTag {
  ContentKey content;
  Tag tag;
  std::string policy;
  int64_t pushed_ms = 0;
  int64_t pulled_ms = 0;    // only if `looks_at_pulls`
  bool pulls_known = true;  // false: none of the entries that match the tag looks at pulls
  bool looks_at_pulls = false;
  std::string Text() const;  // "tag team/app:v1@sha256:…"
};

// An untagged manifest that a run removes.
struct DroppedManifest {
  ContentKey content;
  std::string policy;
  int64_t keep_for_ms = 0;   // since it has no tag, and since its last pull
  std::string Text() const;  // "manifest team/app@sha256:…"
};

// The tags that a run would delete.
struct DropPlan {
  std::vector<DroppedTag> tags;  // by repository and name
  std::vector<DroppedManifest> manifests;
  uint64_t repositories = 0;
  uint64_t kept_tags = 0;
  bool cut = false;  // the plan ends at kMaxDrops
  std::vector<std::string> too_large;
  bool looks_at_pulls = false;  // so it needs the reports of all nodes
  std::vector<Error> skipped;   // corrupt rows, at most kMaxSkippedRows; their manifests stay
};

// Applies policies to the repositories of a view. For one thread; blocks.
class RetentionPlanner {
 public:
  static constexpr size_t kMaxDrops = 100'000;
  static constexpr size_t kMaxTooLarge = 100;  // the repositories of DropPlan::too_large

  // The references outlive this object. `as_of_ms` is a time that is not in the future.
  RetentionPlanner(const MetaView& view, const CollectionTimes& times,
                   const std::vector<CompiledPolicy>& policies, int64_t as_of_ms)
      : view_(view), times_(times), policies_(policies), as_of_ms_(as_of_ms) {}

  Result<DropPlan> Make() const;

  struct Page {
    std::vector<v1::RetentionItem> items;
    std::string next;
  };
  // Returns at most `limit` items: what stays and what goes, or only what goes. `after` is the
  // `next` of the page before, or empty.
  Result<Page> List(const std::string& after, size_t limit, bool only_drops) const;

 private:
  // A repository to which a policy applies.
  struct Repository {
    RepositoryName name;
    const CompiledPolicy& policy;
    bool too_large = false;
    std::vector<TagFacts> tags = {};
    std::vector<TagDecision> decisions = {};
    std::vector<Digest> untagged = {};  // the manifests that go, in byte order
    std::vector<Error> skipped = {};    // corrupt rows of candidates
  };
  // Calls `visit` for each repository with a policy, from `first` on; empty: from the beginning.
  // `visit` returns whether to continue.
  Result<void> ForEach(const std::string& first,
                       const std::function<Result<bool>(Repository&)>& visit) const;
  Result<bool> Visit(const std::string& name,
                     const std::function<Result<bool>(Repository&)>& visit) const;
  Result<void> FindUntagged(Repository& repository, PullSearch& pulls) const;
  Result<bool> GoesUntagged(const Repository& repository, const Digest& digest,
                            v1::UntaggedRow candidate, PullSearch& pulls) const;
  static std::vector<v1::RetentionItem> ItemsOf(const Repository& repository, bool only_drops);

  const MetaView& view_;
  const CollectionTimes times_;
  const std::vector<CompiledPolicy>& policies_;
  const int64_t as_of_ms_;
};

// Returns the text that orders the items: "team/app:v1", "team/app@sha256:…".
std::string PlaceOf(const v1::RetentionItem& item);

// Returns whether an untagged manifest stays because of a pull within `keep_for_ms`, or because the
// answer of the search is incomplete. Blocks.
Result<bool> KeptByPull(PullSearch& pulls, const Digest& digest, int64_t keep_for_ms,
                        int64_t now_ms);

}  // namespace outport::store
