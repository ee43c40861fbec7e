#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/gc/content_key.h"

namespace outport::store {

// Counts the bytes that nothing reaches after a plan has run. It follows what the items of the plan
// refer to:
//
//   - A link frees its blob if the plan has all links of the blob.
//   - A manifest goes if the plan names it. It also goes if it loses its last tag, index and
//   subject
//     to manifests that go. So the children and the referrers of these manifests go, too.
//   - A blob goes later if it has a link, and only manifests that go refer to it.
//
// Reads a bounded number of manifests and references. If it reaches a limit, or a corrupt row of a
// manifest that the plan does not name, the result is too small, and is_minimum() says so. For one
// thread; blocks.
class FreedBytes {
 public:
  struct Limits {
    size_t manifests = 20'000;  // that go
    uint64_t rows = 1'000'000;  // of references, beyond the first ones of each digest
  };

  // `view` outlives this object.
  explicit FreedBytes(const MetaView& view) : FreedBytes(view, Limits()) {}
  FreedBytes(const MetaView& view, const Limits& limits) : view_(view), limits_(limits) {}

  // These methods add the next item of the plan.
  void AddLink(ContentKey link, uint64_t size_bytes);
  void AddManifest(ContentKey manifest);  // goes, whatever refers to it
  void AddTag(ContentKey manifest, const Tag& tag);

  // The bytes and blobs that one item frees.
  struct Freed {
    uint64_t now_bytes = 0;    // of the item itself
    uint64_t later_bytes = 0;  // of content that becomes unreachable: a later run removes it
    uint64_t blobs = 0;        // whose bytes are in `now_bytes`
    uint64_t bytes() const { return now_bytes + later_bytes; }
  };
  // Returns what each item frees, in their order. Bytes that several items share belong to the
  // first of them. Call it once.
  Result<std::vector<Freed>> Count();
  // Whether Count() has reached a limit or a corrupt row.
  bool is_minimum() const { return is_minimum_; }

 private:
  struct Link {
    size_t item = 0;
    const ContentKey* link = nullptr;  // in `links_`
    uint64_t size_bytes = 0;
  };
  struct DroppedTag {
    size_t item = 0;
    const ContentKey* manifest = nullptr;  // in `tagged_`
  };
  // A manifest that goes.
  struct Gone {
    size_t item = 0;        // because of which it goes
    bool is_named = false;  // it is this item itself
  };
  using GoneManifests = std::map<ContentKey, Gone>;

  Result<void> FindGone();
  Result<void> TryRemove(const ContentKey& content, size_t item);
  void Remove(ContentKey content, const Gone& gone);
  Result<std::optional<ContentKey>> KeeperOf(const ContentKey& content);
  Result<void> TryNeighbours(const ContentKey& content, size_t item);
  Result<void> CountLinks(std::vector<Freed>& freed);
  Result<void> CountManifest(const ContentKey& content, Freed& freed);
  Result<bool> LosesItsReferences(const Digest& blob);
  Result<bool> HoldsForAll(const std::string& prefix,
                           const std::function<Result<bool>(std::string_view)>& holds);

  const MetaView& view_;
  const Limits limits_;
  size_t items_ = 0;
  std::vector<Link> link_items_;
  std::vector<DroppedTag> tag_items_;
  std::set<ContentKey> links_;                        // of the plan
  std::set<ContentKey> tagged_;                       // manifests whose tags are in the plan
  std::unordered_set<std::string> tags_;              // of the plan: "repository:tag"
  GoneManifests gone_;                                // the manifests that go
  std::vector<GoneManifests::const_iterator> order_;  // of `gone_`
  // The manifest that keeps another one; a manifest that keeps itself stays for good.
  std::map<ContentKey, ContentKey> kept_by_;
  std::unordered_set<size_t> counted_blobs_;      // hashes of digests
  std::unordered_set<size_t> counted_manifests_;  // hashes of digests
  uint64_t rows_ = 0;                             // that count for the limit
  bool is_minimum_ = false;
};

}  // namespace outport::store
