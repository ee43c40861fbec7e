#include "store/content/pull_search.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "registry/oci/manifest.h"
#include "registry/records/rows.h"
#include "store/content/pulls.h"
#include "store/content/stored_manifest.h"

namespace outport::store {
namespace {

constexpr int kMaxDepth = 8;  // of indexes in indexes
constexpr size_t kMaxAnswers = 200'000;
constexpr size_t kMaxChildren = 100'000;  // that the search remembers

void KeepNewer(std::optional<v1::PullRow>& newest, const std::optional<v1::PullRow>& other) {
  if (!other.has_value()) return;
  if (!newest.has_value() || newest->last_ms() < other->last_ms()) newest = other;
}

bool IsIndex(const v1::ManifestRow& row) {
  return row.media_type() == media_type::kOciIndex || row.media_type() == media_type::kDockerList;
}

}  // namespace

// Returns the index, or nullptr if the manifest is none. Also returns nullptr if a limit is
// reached, or if the manifest's row is corrupt; then the walk is incomplete. An index whose bytes
// are absent or corrupt has no children. The limits for one manifest count an index that the search
// remembers, too, so that an answer does not depend on earlier questions.
Result<const PullSearch::Index*> PullSearch::FindIndex(const Digest& digest, Walk& walk) {
  const Index* none = nullptr;
  const auto known = indexes_.find(digest);
  uint64_t size_bytes = 0;
  std::string media_type;
  if (known != indexes_.end()) {
    size_bytes = known->second.size_bytes;
  } else {
    const auto row = ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository_, digest));
    // Nobody knows whether this is an index.
    const bool is_corrupt = IsCorrupt(row);
    walk.is_complete = walk.is_complete && !is_corrupt;
    if (is_corrupt) return none;
    TRY_VOID(row);
    if (!row->has_value() || !IsIndex(**row)) return none;
    size_bytes = (*row)->size_bytes();
    media_type = (*row)->media_type();
  }
  const bool fits =
      walk.indexes < limits_.indexes && walk.index_bytes + size_bytes <= limits_.index_bytes;
  walk.is_complete = walk.is_complete && fits;
  if (!fits) return none;
  ++walk.indexes;
  walk.index_bytes += size_bytes;
  if (known != indexes_.end()) return &known->second;
  exhausted_ = exhausted_ || all_index_bytes_ + size_bytes > limits_.all_index_bytes;
  walk.is_complete = walk.is_complete && !exhausted_;
  if (exhausted_) return none;
  all_index_bytes_ += size_bytes;
  Index index{.size_bytes = size_bytes, .children = {}};
  const Result<std::optional<Manifest>> manifest = ReadManifest(view_, digest, media_type);
  if (manifest.has_value() && manifest->has_value()) {
    for (const Descriptor& child : (*manifest)->manifests) {
      index.has_more_children = index.children.size() == limits_.relatives;
      if (index.has_more_children) break;
      index.children.push_back(child.digest);
    }
  }
  return Remember(digest, std::move(index));
}

const PullSearch::Index* PullSearch::Remember(const Digest& digest, Index index) {
  if (remembered_children_ + index.children.size() > kMaxChildren) {
    indexes_.clear();
    remembered_children_ = 0;
  }
  remembered_children_ += 1 + index.children.size();
  return &indexes_.insert_or_assign(digest, std::move(index)).first->second;
}

// Returns the manifests that an index lists.
Result<std::vector<Digest>> PullSearch::ChildrenOf(const Digest& digest, Walk& walk) {
  TRY(const Index* const index, FindIndex(digest, walk));
  if (index == nullptr) return std::vector<Digest>();
  walk.is_complete = walk.is_complete && !index->has_more_children;
  return index->children;
}

// Returns the indexes that list a manifest. Reads one row more than the limit: it shows whether
// there are more.
Result<std::vector<Digest>> PullSearch::ParentsOf(const Digest& digest, Walk& walk) {
  const std::string prefix = keys::ReferencesTo(digest, repository_);
  const size_t limit = std::min(limits_.relatives, limits_.mentions - walk.mentions);
  TRY(std::vector<KeyValue> rows, view_.Scan({.prefix = prefix, .limit = limit + 1}));
  walk.is_complete = walk.is_complete && rows.size() <= limit;
  if (rows.size() > limit) rows.pop_back();
  std::vector<Digest> parents;
  for (const KeyValue& row : rows) {
    TRY(Digest parent, Digest::Parse(keys::After(row.key, prefix)));
    parents.push_back(std::move(parent));
  }
  return parents;
}

// Returns whether the walk may look at the relatives of one more manifest.
bool PullSearch::MayLookAtMore(Walk& walk) {
  exhausted_ = exhausted_ || ++all_mentions_ > limits_.all_mentions;
  const bool may = !exhausted_ && !walk.has_more_relatives && walk.mentions < limits_.mentions;
  walk.is_complete = walk.is_complete && may;
  return may;
}

// Looks at the pulls of the manifest's relatives, of their relatives and so on. Keeps the newest.
// Below the deepest level, looks only whether there are more.
Result<void> PullSearch::AddPullsOfRelatives(const Digest& digest, RelativesOf relatives_of,
                                             LastPull& newest) {
  Walk walk;
  std::unordered_set<Digest> seen{digest};
  std::vector<Digest> level{digest};
  for (int depth = 0; depth <= kMaxDepth && !level.empty(); ++depth) {
    std::vector<Digest> next;
    for (const Digest& member : level) {
      if (!MayLookAtMore(walk)) break;
      TRY(const std::vector<Digest> relatives, (this->*relatives_of)(member, walk));
      walk.mentions += relatives.size();
      all_mentions_ += relatives.size();
      for (const Digest& relative : relatives) {
        if (seen.contains(relative)) continue;
        walk.has_more_relatives = depth == kMaxDepth || seen.size() > limits_.relatives;
        if (walk.has_more_relatives) break;
        seen.insert(relative);
        TRY(const auto pull, FindPull(view_, repository_, relative));
        KeepNewer(newest.row, pull);
        next.push_back(relative);
      }
    }
    level = std::move(next);
  }
  newest.is_complete = newest.is_complete && walk.is_complete && !walk.has_more_relatives;
  return {};
}

Result<LastPull> PullSearch::LastPullOf(const Digest& digest) {
  if (const auto known = answers_.find(digest); known != answers_.end()) return known->second;
  LastPull newest;
  TRY(newest.row, FindPull(view_, repository_, digest));
  TRY_VOID(AddPullsOfRelatives(digest, &PullSearch::ParentsOf, newest));
  TRY_VOID(AddPullsOfRelatives(digest, &PullSearch::ChildrenOf, newest));
  if (answers_.size() == kMaxAnswers) answers_.clear();
  answers_.emplace(digest, newest);
  return newest;
}

Result<LastPull> PullSearch::LastPullOf(const Tag& tag, const Digest& digest) {
  LastPull newest;
  TRY(newest.row, FindPull(view_, repository_, tag));
  TRY(const LastPull of_manifest, LastPullOf(digest));
  KeepNewer(newest.row, of_manifest.row);
  newest.is_complete = of_manifest.is_complete;
  return newest;
}

}  // namespace outport::store
