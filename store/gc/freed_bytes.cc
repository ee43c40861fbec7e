#include "store/gc/freed_bytes.h"

#include <algorithm>
#include <utility>

#include "registry/oci/manifest.h"
#include "registry/records/rows.h"
#include "store/gc/manifest_content.h"

namespace outport::store {
namespace {

// Most digests have few references, or one that keeps them. The limit does not count these rows.
constexpr size_t kFirstRows = 16;
constexpr size_t kNextRows = 1000;

size_t HashOf(const Digest& digest) { return std::hash<Digest>()(digest); }

std::string TextOf(const RepositoryName& repository, std::string_view tag) {
  return repository.ToString() + ":" + std::string(tag);
}

// Returns false for a media type whose manifests list no other manifests.
bool MayListManifests(const std::string& type) {
  return type.empty() || type == media_type::kOciIndex || type == media_type::kDockerList;
}

}  // namespace

void FreedBytes::AddLink(ContentKey link, uint64_t size_bytes) {
  const auto added = links_.insert(std::move(link)).first;
  link_items_.push_back({.item = items_++, .link = &*added, .size_bytes = size_bytes});
}

void FreedBytes::AddManifest(ContentKey manifest) {
  Remove(std::move(manifest), {.item = items_++, .is_named = true});
}

void FreedBytes::AddTag(ContentKey manifest, const Tag& tag) {
  tags_.insert(TextOf(manifest.repository, tag.ToString()));
  const auto [added, is_new] = tagged_.insert(std::move(manifest));
  if (is_new) tag_items_.push_back({.item = items_, .manifest = &*added});
  ++items_;
}

Result<std::vector<FreedBytes::Freed>> FreedBytes::Count() {
  TRY_VOID(FindGone());
  std::vector<Freed> freed(items_);
  TRY_VOID(CountLinks(freed));
  std::ranges::sort(order_, {}, [](const auto& gone) { return gone->second.item; });
  for (const auto& gone : order_) {
    TRY_VOID(CountManifest(gone->first, freed[gone->second.item]));
  }
  return freed;
}

// First all manifests that the plan names, so that most manifests need one look.
Result<void> FreedBytes::FindGone() {
  for (const DroppedTag& tag : tag_items_) TRY_VOID(TryRemove(*tag.manifest, tag.item));
  for (size_t next = 0; next < order_.size(); ++next) {
    TRY_VOID(TryNeighbours(order_[next]->first, order_[next]->second.item));
  }
  return {};
}

void FreedBytes::Remove(ContentKey content, const Gone& gone) {
  if (gone_.size() >= limits_.manifests) {
    is_minimum_ = true;
    return;
  }
  const auto [added, is_new] = gone_.emplace(std::move(content), gone);
  if (is_new) order_.push_back(added);
}

// A manifest that another one still keeps is tried again when that one goes.
Result<void> FreedBytes::TryRemove(const ContentKey& content, size_t item) {
  if (gone_.contains(content)) return {};
  const auto known = kept_by_.find(content);
  if (known != kept_by_.end() && !gone_.contains(known->second)) return {};
  TRY(std::optional<ContentKey> keeper, KeeperOf(content));
  if (!keeper.has_value()) {
    Remove(content, {.item = item});
  } else if (kept_by_.size() < limits_.manifests) {
    kept_by_.insert_or_assign(content, *std::move(keeper));
  }
  return {};
}

// Returns the manifest that keeps this one, or this one if something else keeps it, or if it is
// absent or its row is corrupt. nullopt if nothing keeps it.
Result<std::optional<ContentKey>> FreedBytes::KeeperOf(const ContentKey& content) {
  const auto& [repository, digest] = content;
  std::optional<ContentKey> keeper = content;
  const auto stored = ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest));
  if (IsCorrupt(stored)) {
    is_minimum_ = true;
    return keeper;
  }
  TRY(const auto row, stored);
  if (!row.has_value()) return keeper;
  const auto is_dropped = [&](std::string_view tag) -> Result<bool> {
    return tags_.contains(TextOf(content.repository, tag));
  };
  TRY(const bool untagged, HoldsForAll(keys::TagsOn(repository, digest), is_dropped));
  if (!untagged) return keeper;
  const auto goes = [&](std::string_view text) -> Result<bool> {
    TRY(Digest other, Digest::Parse(text));
    ContentKey parent{content.repository, std::move(other)};
    if (gone_.contains(parent)) return true;
    TRY(const bool here, HasRow(view_, keys::ManifestOf(parent.repository, parent.digest)));
    if (here) keeper = std::move(parent);
    return !here;
  };
  if (!row->subject().empty()) {
    TRY(const bool subject_goes, goes(row->subject()));
    if (!subject_goes) return keeper;
  }
  TRY(const bool indexes_go, HoldsForAll(keys::ReferencesTo(digest, repository), goes));
  return indexes_go ? std::nullopt : keeper;
}

// Looks at the manifests that this manifest lists, and at its referrers.
Result<void> FreedBytes::TryNeighbours(const ContentKey& content, size_t item) {
  const auto& [repository, digest] = content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return {};
  if (MayListManifests(row->media_type())) {
    const Result<std::optional<Manifest>> manifest = ReadManifest(view_, digest, row->media_type());
    if (manifest.has_value() && manifest->has_value()) {
      for (const Descriptor& child : (*manifest)->manifests) {
        TRY_VOID(TryRemove({repository, child.digest}, item));
      }
    }
  }
  TRY(const bool all,
      HoldsForAll(keys::ReferrersOf(repository, digest),
                  [&](std::string_view text) -> Result<bool> {
                    Result<Digest> referrer = Digest::Parse(text);
                    if (!referrer.has_value()) {
                      is_minimum_ = true;  // the row is corrupt
                      return true;
                    }
                    TRY_VOID(TryRemove({content.repository, *std::move(referrer)}, item));
                    return true;
                  }));
  static_cast<void>(all);  // is_minimum_ says whether the rows were too many
  return {};
}

// A blob goes with its last link.
Result<void> FreedBytes::CountLinks(std::vector<Freed>& freed) {
  std::unordered_set<size_t> seen;
  for (const Link& item : link_items_) {
    const Digest& digest = item.link->digest;
    if (!seen.insert(HashOf(digest)).second) continue;
    const auto is_planned = [&](std::string_view name) -> Result<bool> {
      TRY(RepositoryName repository, RepositoryName::Parse(name));
      return links_.contains(ContentKey{std::move(repository), digest});
    };
    TRY(const bool goes, HoldsForAll(keys::LinkedIn(digest), is_planned));
    if (!goes) continue;
    counted_blobs_.insert(HashOf(digest));
    freed[item.item].now_bytes = item.size_bytes;
    freed[item.item].blobs = 1;
  }
  return {};
}

Result<void> FreedBytes::CountManifest(const ContentKey& content, Freed& freed) {
  const auto& [repository, digest] = content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return {};
  if (counted_manifests_.insert(HashOf(digest)).second) {
    bool now = true;
    const auto goes = [&](std::string_view name) -> Result<bool> {
      TRY(RepositoryName holder, RepositoryName::Parse(name));
      const auto gone = gone_.find({std::move(holder), content.digest});
      if (gone == gone_.end()) return false;
      now = now && gone->second.is_named;
      return true;
    };
    TRY(const bool last, HoldsForAll(keys::HoldersOf(digest), goes));
    if (last) (now ? freed.now_bytes : freed.later_bytes) += row->size_bytes();
  }
  const Result<std::optional<Manifest>> manifest = ReadManifest(view_, digest, row->media_type());
  if (!manifest.has_value() || !manifest->has_value()) return {};
  for (const Descriptor& blob : (*manifest)->blobs) {
    if (!counted_blobs_.insert(HashOf(blob.digest)).second) continue;
    TRY(const bool loses, LosesItsReferences(blob.digest));
    if (loses) freed.later_bytes += blob.size_bytes;
  }
  return {};
}

// Returns whether the blob has a link, and only manifests that go refer to it.
Result<bool> FreedBytes::LosesItsReferences(const Digest& blob) {
  bool linked = false;
  const auto loses = [&](std::string_view name) -> Result<bool> {
    linked = true;
    TRY(const RepositoryName repository, RepositoryName::Parse(name));
    const auto goes = [&](std::string_view text) -> Result<bool> {
      TRY(Digest manifest, Digest::Parse(text));
      const ContentKey parent{repository, std::move(manifest)};
      if (gone_.contains(parent)) return true;
      TRY(const bool here, HasRow(view_, keys::ManifestOf(parent.repository, parent.digest)));
      return !here;
    };
    return HoldsForAll(keys::ReferencesTo(blob, repository), goes);
  };
  TRY(const bool all, HoldsForAll(keys::LinkedIn(blob), loses));
  return all && linked;
}

// Returns whether `holds(rest)` is true for the rest of each key with this prefix. Stops at the
// first key for which it is not, and at the limit of rows, then with false.
Result<bool> FreedBytes::HoldsForAll(const std::string& prefix,
                                     const std::function<Result<bool>(std::string_view)>& holds) {
  ScanRange range{.prefix = prefix, .limit = kFirstRows};
  for (;;) {
    TRY(const std::vector<KeyValue> rows, view_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const bool held, holds(keys::After(row.key, prefix)));
      if (!held) return false;
    }
    if (rows.size() < range.limit) return true;
    if (rows_ >= limits_.rows) {
      is_minimum_ = true;
      return false;
    }
    rows_ += kNextRows;
    range.after = rows.back().key;
    range.limit = kNextRows;
  }
}

}  // namespace outport::store
