#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// The limits of what a search reads. Clients choose the indexes in a repository, so these limits
// bound the time that they cost.
struct PullSearchLimits {
  // For one manifest, in either direction. A repository may name a manifest several times.
  size_t relatives = 1000;
  size_t mentions = 4000;
  size_t indexes = 32;  // whose bytes tell their children
  uint64_t index_bytes = 8 << 20;
  // For all manifests together.
  uint64_t all_mentions = 4'000'000;
  uint64_t all_index_bytes = 1 << 30;
};

// The answer of a search.
struct LastPull {
  std::optional<v1::PullRow> row = {};  // nullopt: no known pull
  // false: the search has stopped at a limit, so there may be a later pull. A caller that deletes
  // what is not pulled must then keep it.
  bool is_complete = true;
};

// Finds the last pulls of the manifests of one repository. Remembers answers, and the children of
// indexes, so that tags on the same manifest cost one search. For one thread; its methods block.
class PullSearch {
 public:
  // The references outlive this object.
  PullSearch(const MetaView& view, const RepositoryName& repository, PullSearchLimits limits = {})
      : view_(view), repository_(repository), limits_(limits) {}

  // Returns the last pull of a manifest: by its own digest, by an index that lists it, or of a
  // manifest that it lists; also through indexes in indexes, up to eight of them. The answer is
  // incomplete if the manifest has more relatives than the limits, or deeper ones. Whether the
  // limits for one manifest are reached does not depend on earlier questions. A pull by tag counts
  // for the digest that the tag had at that time.
  Result<LastPull> LastPullOf(const Digest& digest);

  // Returns the last pull of a tag, or of the manifest `digest` to which it points.
  Result<LastPull> LastPullOf(const Tag& tag, const Digest& digest);

  // Whether a limit for all manifests is reached. From then on new answers are incomplete.
  bool IsExhausted() const { return exhausted_; }

 private:
  struct Walk {
    size_t mentions = 0;
    size_t indexes = 0;
    uint64_t index_bytes = 0;
    bool has_more_relatives = false;  // than the limit
    bool is_complete = true;
  };
  struct Index {
    uint64_t size_bytes = 0;
    std::vector<Digest> children;
    bool has_more_children = false;
  };
  using RelativesOf = Result<std::vector<Digest>> (PullSearch::*)(const Digest&, Walk&);
  Result<void> AddPullsOfRelatives(const Digest& digest, RelativesOf relatives_of,
                                   LastPull& newest);
  bool MayLookAtMore(Walk& walk);
  Result<std::vector<Digest>> ParentsOf(const Digest& digest, Walk& walk);
  Result<std::vector<Digest>> ChildrenOf(const Digest& digest, Walk& walk);
  Result<const Index*> FindIndex(const Digest& digest, Walk& walk);
  const Index* Remember(const Digest& digest, Index index);

  const MetaView& view_;
  const RepositoryName& repository_;
  const PullSearchLimits limits_;
  uint64_t all_mentions_ = 0;
  uint64_t all_index_bytes_ = 0;
  bool exhausted_ = false;
  std::unordered_map<Digest, LastPull> answers_;
  std::unordered_map<Digest, Index> indexes_;
  size_t remembered_children_ = 0;
};

}  // namespace outport::store
