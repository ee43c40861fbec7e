#include "store/retention/freed_bytes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "registry/records/rows.h"
#include "store/gc/manifest_content.h"

namespace outport::store {
namespace {

constexpr size_t kMaxReferences = 1000;  // of one manifest or blob; with more, it stays

}  // namespace

Result<std::vector<uint64_t>> FreedBytes::Count() {
  for (const DroppedTag& tag : plan_.tags) {
    dropped_.insert(tag.content.repository.ToString() + ":" + tag.tag.ToString());
  }
  for (const DroppedManifest& manifest : plan_.manifests) untagged_.insert(manifest.content);
  size_t item = 0;
  for (const DroppedTag& tag : plan_.tags) TRY_VOID(Follow(tag.content, item++));
  for (const DroppedManifest& manifest : plan_.manifests) {
    TRY_VOID(Follow(manifest.content, item++));
  }
  std::vector<uint64_t> bytes(item, 0);
  for (const Gone& gone : order_) {
    TRY(const uint64_t more, BytesOf(gone.content));
    bytes[gone.item] += more;
  }
  return bytes;
}

// Adds the manifest, its children and its referrers to the manifests that go. A manifest that
// another one still keeps is tried again when that one goes.
Result<void> FreedBytes::Follow(ContentKey content, size_t item) {
  std::vector<ContentKey> open{std::move(content)};
  while (!open.empty()) {
    const ContentKey next = std::move(open.back());
    open.pop_back();
    if (gone_.contains(next)) continue;
    if (gone_.size() >= kMaxManifests) {
      is_minimum_ = true;
      return {};
    }
    TRY(const bool goes, Goes(next));
    if (!goes) continue;
    gone_.insert(next);
    order_.push_back({next, item});
    TRY_VOID(AddNeighbours(next, open));
  }
  return {};
}

Result<bool> FreedBytes::Goes(const ContentKey& content) const {
  const auto& [repository, digest] = content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return false;
  if (untagged_.contains(content)) return true;
  const std::string prefix = keys::TagsOn(repository, digest);
  TRY(const auto tags, view_.Scan({.prefix = prefix, .limit = kMaxReferences + 1}));
  if (tags.size() > kMaxReferences) return false;
  for (const KeyValue& tag : tags) {
    const std::string name(keys::After(tag.key, prefix));
    if (!dropped_.contains(repository.ToString() + ":" + name)) return false;
  }
  if (!row->subject().empty()) {
    TRY(Digest subject, Digest::Parse(row->subject()));
    TRY(const bool here, HasRow(view_, keys::ManifestOf(repository, subject)));
    if (here && !gone_.contains({repository, std::move(subject)})) return false;
  }
  const std::string references = keys::ReferencesTo(digest, repository);
  TRY(const auto parents, view_.Scan({.prefix = references, .limit = kMaxReferences + 1}));
  if (parents.size() > kMaxReferences) return false;
  for (const KeyValue& parent : parents) {
    TRY(Digest index, Digest::Parse(keys::After(parent.key, references)));
    TRY(const bool here, HasRow(view_, keys::ManifestOf(repository, index)));
    if (here && !gone_.contains({repository, std::move(index)})) return false;
  }
  return true;
}

Result<void> FreedBytes::AddNeighbours(const ContentKey& content,
                                       std::vector<ContentKey>& open) const {
  const auto& [repository, digest] = content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return {};
  const Result<std::optional<Manifest>> manifest = ReadManifest(view_, digest, row->media_type());
  if (manifest.has_value() && manifest->has_value()) {
    for (const Descriptor& child : (*manifest)->manifests) {
      open.push_back({repository, child.digest});
    }
  }
  const std::string prefix = keys::ReferrersOf(repository, digest);
  TRY(const auto referrers, view_.Scan({.prefix = prefix, .limit = kMaxReferences}));
  for (const KeyValue& referrer : referrers) {
    TRY(Digest other, Digest::Parse(keys::After(referrer.key, prefix)));
    open.push_back({repository, std::move(other)});
  }
  return {};
}

// Returns whether the manifests with this digest go in all repositories that the rows name.
Result<bool> FreedBytes::AllGone(const std::string& prefix, const Digest& digest) const {
  TRY(const auto rows, view_.Scan({.prefix = prefix, .limit = kMaxReferences + 1}));
  if (rows.size() > kMaxReferences) return false;
  for (const KeyValue& row : rows) {
    TRY(RepositoryName repository, RepositoryName::Parse(keys::After(row.key, prefix)));
    if (!gone_.contains({std::move(repository), digest})) return false;
  }
  return true;
}

// Returns whether only manifests that go refer to the blob.
Result<bool> FreedBytes::NoReferences(const Digest& blob) const {
  const std::string prefix = keys::LinkedIn(blob);
  TRY(const auto links, view_.Scan({.prefix = prefix, .limit = kMaxReferences + 1}));
  if (links.size() > kMaxReferences) return false;
  for (const KeyValue& link : links) {
    TRY(const RepositoryName repository, RepositoryName::Parse(keys::After(link.key, prefix)));
    const std::string references = keys::ReferencesTo(blob, repository);
    TRY(const auto parents, view_.Scan({.prefix = references, .limit = kMaxReferences + 1}));
    if (parents.size() > kMaxReferences) return false;
    for (const KeyValue& parent : parents) {
      TRY(Digest manifest, Digest::Parse(keys::After(parent.key, references)));
      TRY(const bool here, HasRow(view_, keys::ManifestOf(repository, manifest)));
      if (here && !gone_.contains({repository, std::move(manifest)})) return false;
    }
  }
  return true;
}

Result<uint64_t> FreedBytes::BytesOf(const ContentKey& content) {
  const auto& [repository, digest] = content;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view_, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return uint64_t{0};
  uint64_t bytes = 0;
  if (counted_.insert(digest.ToString()).second) {
    TRY(const bool last, AllGone(keys::HoldersOf(digest), digest));
    if (last) bytes += row->size_bytes();
  }
  const Result<std::optional<Manifest>> manifest = ReadManifest(view_, digest, row->media_type());
  if (!manifest.has_value() || !manifest->has_value()) return bytes;
  for (const Descriptor& blob : (*manifest)->blobs) {
    if (!counted_.insert(blob.digest.ToString()).second) continue;
    TRY(const bool freed, NoReferences(blob.digest));
    if (freed) bytes += blob.size_bytes;
  }
  return bytes;
}

}  // namespace outport::store
