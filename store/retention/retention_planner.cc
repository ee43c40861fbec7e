#include "store/retention/retention_planner.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/pull_search.h"
#include "store/content/pulls.h"
#include "store/gc/candidates.h"
#include "store/gc/manifest_content.h"
#include "store/gc/plan.h"
#include "store/retention/repository_tags.h"

namespace outport::store {
namespace {

constexpr size_t kRowsPerScan = 1000;

}  // namespace

std::string DroppedTag::Text() const {
  return "tag " + content.repository.ToString() + ":" + tag.ToString() + "@" +
         content.digest.ToString();
}

std::string DroppedManifest::Text() const {
  return "manifest " + content.repository.ToString() + "@" + content.digest.ToString();
}

std::string PlaceOf(const v1::RetentionItem& item) {
  if (item.tag().empty()) return item.repository() + "@" + item.digest();
  return item.repository() + ":" + item.tag();
}

Result<bool> KeptByPull(PullSearch& pulls, const Digest& digest, int64_t keep_for_ms,
                        int64_t now_ms) {
  TRY(const LastPull pull, pulls.LastPullOf(digest));
  if (!pull.is_complete) return true;
  return pull.row.has_value() && LatestPullMs(pull.row->last_ms()) + keep_for_ms > now_ms;
}

Result<void> RetentionPlanner::ForEach(
    const std::string& first, const std::function<Result<bool>(Repository&)>& visit) const {
  ScanRange range{.prefix = std::string(keys::kRepositories), .limit = kRowsPerScan};
  if (!first.empty()) {
    TRY(const bool more, Visit(first, visit));
    if (!more) return {};
    range.after = range.prefix + first;
  }
  for (;;) {
    TRY(const std::vector<KeyValue> rows, view_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const bool more, Visit(std::string(keys::After(row.key, range.prefix)), visit));
      if (!more) return {};
    }
    if (rows.size() < range.limit) return {};
    range.after = rows.back().key;
  }
}

Result<bool> RetentionPlanner::Visit(const std::string& name,
                                     const std::function<Result<bool>(Repository&)>& visit) const {
  const auto policy = std::ranges::find_if(
      policies_, [&](const CompiledPolicy& each) { return each.Matches(name); });
  if (policy == policies_.end()) return true;
  TRY(RepositoryName parsed, RepositoryName::Parse(name));
  Repository repository{.name = std::move(parsed), .policy = *policy};
  PullSearch pulls(view_, repository.name);
  TRY(auto tags,
      ReadTagFacts(view_, repository.name, policy->LooksAtPulledTags() ? &pulls : nullptr));
  repository.too_large = !tags.has_value();
  if (tags.has_value()) {
    repository.tags = *std::move(tags);
    repository.decisions = policy->Evaluate(repository.tags, as_of_ms_);
    TRY_VOID(FindUntagged(repository, pulls));
  }
  return visit(repository);
}

Result<void> RetentionPlanner::FindUntagged(Repository& repository, PullSearch& pulls) const {
  if (!repository.policy.policy().has_untagged_keep_for_ms()) return {};
  const auto skipped = [&](const Error& why) {
    if (repository.skipped.size() < kMaxSkippedRows) repository.skipped.push_back(why);
  };
  const auto add = [&](const ContentKey& content,
                       const v1::UntaggedRow& candidate) -> Result<bool> {
    if (repository.untagged.size() >= kMaxDrops) return false;
    const auto goes = GoesUntagged(repository, content.digest, candidate, pulls);
    if (IsCorrupt(goes)) {
      skipped(goes.error());
      return true;
    }
    TRY_VOID(goes);
    if (*goes) repository.untagged.push_back(content.digest);
    return true;
  };
  TRY_VOID(
      ForEachCandidate({.view = view_, .repository = repository.name, .skipped = skipped}, add));
  std::ranges::sort(repository.untagged, {},
                    [](const Digest& digest) { return digest.ToString(); });
  return {};
}

Result<bool> RetentionPlanner::GoesUntagged(const Repository& repository, const Digest& digest,
                                            v1::UntaggedRow candidate, PullSearch& pulls) const {
  const int64_t keep_for_ms = repository.policy.policy().untagged_keep_for_ms();
  const ContentKey content{repository.name, digest};
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository.name, digest)));
  if (!row.has_value()) return false;
  TRY_VOID(CountOrphaned(view_, content, *row, candidate));
  if (KeptUntilMs(candidate, *row, times_, keep_for_ms) > as_of_ms_) return false;
  TRY(const bool referenced, IsManifestReferenced(view_, content, *row));
  if (referenced) return false;
  TRY(const bool pulled, KeptByPull(pulls, digest, keep_for_ms, as_of_ms_));
  return !pulled;
}

Result<DropPlan> RetentionPlanner::Make() const {
  DropPlan plan;
  TRY_VOID(ForEach({}, [&](Repository& repository) -> Result<bool> {
    ++plan.repositories;
    const std::string& policy = repository.policy.policy().name();
    const bool looks_at_pulls = repository.policy.LooksAtPulledTags();
    plan.looks_at_pulls = plan.looks_at_pulls || repository.policy.LooksAtPulls();
    if (repository.too_large && plan.too_large.size() < kMaxTooLarge) {
      plan.too_large.push_back(repository.name.ToString());
    }
    for (const Error& why : repository.skipped) {
      if (plan.skipped.size() < kMaxSkippedRows) plan.skipped.push_back(why);
    }
    for (size_t i = 0; i < repository.tags.size(); ++i) {
      const TagFacts& tag = repository.tags[i];
      if (repository.decisions[i].keep) {
        ++plan.kept_tags;
        continue;
      }
      plan.cut = plan.tags.size() + plan.manifests.size() >= kMaxDrops;
      if (plan.cut) return false;
      plan.tags.push_back({.content = {repository.name, tag.digest},
                           .tag = tag.name,
                           .policy = policy,
                           .pushed_ms = tag.pushed_ms,
                           .pulled_ms = tag.pulled_ms,
                           .pulls_known = tag.pulls_known,
                           .looks_at_pulls = looks_at_pulls});
    }
    for (const Digest& digest : repository.untagged) {
      plan.cut = plan.tags.size() + plan.manifests.size() >= kMaxDrops;
      if (plan.cut) return false;
      plan.manifests.push_back({.content = {repository.name, digest},
                                .policy = policy,
                                .keep_for_ms = repository.policy.policy().untagged_keep_for_ms()});
    }
    return true;
  }));
  return plan;
}

std::vector<v1::RetentionItem> RetentionPlanner::ItemsOf(const Repository& repository,
                                                         bool only_drops) {
  std::vector<v1::RetentionItem> items;
  const auto add = [&](const Digest& digest, bool keep, const std::string& rule) {
    v1::RetentionItem& item = items.emplace_back();
    item.set_repository(repository.name.ToString());
    item.set_digest(digest.ToString());
    item.set_keep(keep);
    item.set_policy(repository.policy.policy().name());
    item.set_rule(rule);
  };
  for (size_t i = 0; i < repository.tags.size(); ++i) {
    const TagFacts& tag = repository.tags[i];
    const TagDecision& decision = repository.decisions[i];
    if (only_drops && decision.keep) continue;
    add(tag.digest, decision.keep, decision.rule);
    items.back().set_tag(tag.name.ToString());
    items.back().set_pushed_ms(tag.pushed_ms);
    items.back().set_pulled_ms(tag.pulled_ms);
    items.back().set_pulled_at(tag.pulled_at);
  }
  for (const Digest& digest : repository.untagged) add(digest, false, "untagged: keep_for");
  return items;
}

Result<RetentionPlanner::Page> RetentionPlanner::List(const std::string& after, size_t limit,
                                                      bool only_drops) const {
  Page page;
  const std::string first = after.substr(0, after.find_first_of(":@"));
  if (!first.empty()) TRY_VOID(RepositoryName::Parse(first));
  TRY_VOID(ForEach(first, [&](Repository& repository) -> Result<bool> {
    for (v1::RetentionItem& item : ItemsOf(repository, only_drops)) {
      const std::string place = PlaceOf(item);
      if (item.repository() == first && place <= after) continue;
      if (page.items.size() == limit) {
        page.next = PlaceOf(page.items.back());
        return false;
      }
      page.items.push_back(std::move(item));
    }
    return true;
  }));
  return page;
}

}  // namespace outport::store
