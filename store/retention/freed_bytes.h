#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/gc/content_key.h"
#include "store/retention/retention_planner.h"

namespace outport::store {

// Counts the bytes that nothing reaches after a plan has run: manifests without another tag, index
// or subject, with their children and referrers, and the blobs to which only these refer. Looks at
// a bounded number of manifests, so the result may be too small. For one thread; blocks.
class FreedBytes {
 public:
  static constexpr size_t kMaxManifests = 20'000;

  // The references outlive this object.
  FreedBytes(const MetaView& view, const DropPlan& plan) : view_(view), plan_(plan) {}

  // Returns the bytes of each item, first of the tags and then of the manifests. Bytes that several
  // items share belong to the first of them.
  Result<std::vector<uint64_t>> Count();
  // Whether there were more manifests than Count() looked at.
  bool is_minimum() const { return is_minimum_; }

 private:
  struct Gone {
    ContentKey content;
    size_t item = 0;  // because of which it goes
  };
  Result<void> Follow(ContentKey content, size_t item);
  Result<bool> Goes(const ContentKey& content) const;
  Result<void> AddNeighbours(const ContentKey& content, std::vector<ContentKey>& open) const;
  Result<uint64_t> BytesOf(const ContentKey& content);
  Result<bool> AllGone(const std::string& prefix, const Digest& digest) const;
  Result<bool> NoReferences(const Digest& blob) const;

  const MetaView& view_;
  const DropPlan& plan_;
  std::unordered_set<std::string> dropped_;  // "repository:tag"
  std::set<ContentKey> untagged_;
  std::set<ContentKey> gone_;
  std::vector<Gone> order_;
  std::unordered_set<std::string> counted_;  // digests
  bool is_minimum_ = false;
};

}  // namespace outport::store
