#include "store/content/manifest_push.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/blobs.h"
#include "store/content/referrers.h"
#include "store/content/repositories.h"
#include "store/content/tag_history.h"
#include "store/content/tag_rules.h"
#include "store/content/trash.h"

namespace outport::store {
namespace {

constexpr uint64_t kDigestBytes = 71;  // the text of a sha256 digest, the shortest

// Returns the row without what only the store has.
v1::ManifestRow Replicated(v1::ManifestRow row) {
  row.clear_lease_until_ms();
  return row;
}

std::vector<Digest> With(std::vector<Digest> digests, const Digest& another) {
  digests.push_back(another);
  return SortedDigests(std::move(digests));
}

}  // namespace

bool IsLarge(const Manifest& manifest) {
  return manifest.blobs.size() + manifest.manifests.size() > kLargeDescriptors;
}

bool MayBeLarge(uint64_t size_bytes) { return size_bytes > kLargeDescriptors * kDigestBytes; }

std::vector<Digest> SortedDigests(std::vector<Digest> digests) {
  std::ranges::sort(digests);
  const auto duplicates = std::ranges::unique(digests);
  digests.erase(duplicates.begin(), duplicates.end());
  return digests;
}

std::vector<Digest> SortedDigests(const std::vector<Descriptor>& descriptors) {
  std::vector<Digest> digests;
  digests.reserve(descriptors.size());
  for (const Descriptor& descriptor : descriptors) digests.push_back(descriptor.digest);
  return SortedDigests(std::move(digests));
}

ManifestPush::ManifestPush(const Parts& parts)
    : parts_(parts),
      blobs_(SortedDigests(parts_.manifest.blobs)),
      children_(SortedDigests(parts_.manifest.manifests)),
      own_and_children_(With(children_, parts_.digest)) {}

Error ManifestPush::MissingContent(std::vector<std::string> missing) const {
  Error error{ErrorCode::kManifestBlobUnknown,
              "repository " + parts_.repository.ToString() + " lacks " +
                  std::to_string(missing.size()) +
                  " blobs or manifests that the manifest refers to; push them first"};
  return std::move(error).About(std::move(missing));
}

Result<void> ManifestPush::RequireContent(const MetaView& view) const {
  std::vector<std::string> missing;
  for (const Digest& blob : blobs_) {
    TRY(const bool linked, HasRow(view, keys::Link(parts_.repository, blob)));
    TRY(const auto row, ReadRow<v1::BlobRow>(view, keys::Blob(blob)));
    if (!linked || !row.has_value() || !IsUsable(*row)) missing.push_back(blob.ToString());
  }
  for (const Digest& child : children_) {
    TRY(const bool here, HasRow(view, keys::ManifestOf(parts_.repository, child)));
    if (!here && child != parts_.digest) missing.push_back(child.ToString());
  }
  return missing.empty() ? Result<void>() : Result<void>(MissingContent(std::move(missing)));
}

// Locks the row of each blob that the manifest names, and marks the blob's link as referenced. Adds
// blobs that the repository lacks to `missing`.
Result<void> ManifestPush::LockBlobs(MetaTransaction& transaction,
                                     std::vector<std::string>& missing) const {
  for (const Digest& blob : blobs_) {
    TRY(const auto row, LockRow<v1::BlobRow>(transaction, keys::Blob(blob)));
    const std::string key = keys::Link(parts_.repository, blob);
    TRY(auto link, ReadRow<v1::LinkRow>(transaction, key));
    if (!link.has_value() || !row.has_value() || !IsUsable(*row)) {
      missing.push_back(blob.ToString());
      continue;
    }
    const bool condemned = link->condemned_ms() != 0;
    if (condemned) TRY_VOID(Collection::Acquit(transaction, parts_.repository, blob, *link));
    if (parts_.collection.Touch(*link) || condemned) TRY_VOID(WriteRow(transaction, key, *link));
  }
  return {};
}

// Writes the manifest's bytes. ManifestRemoval takes the same lock before it deletes the bytes, so
// a push and a removal cannot overlap.
Result<void> ManifestPush::WriteContent(MetaTransaction& transaction) const {
  const std::string key = keys::Content(parts_.digest);
  TRY(const auto stored, transaction.GetForUpdate(key));
  // If the stored bytes are corrupt, this push replaces them.
  if (stored.has_value() && *stored == parts_.body) return {};
  return transaction.Put(key, parts_.body);
}

// Locks the rows of the manifest itself and, for an index, of its children, and touches the
// children. Sets `own` to the manifest's own row. Adds children that the repository lacks to
// `missing`.
Result<void> ManifestPush::LockManifests(MetaTransaction& transaction,
                                         std::vector<std::string>& missing,
                                         std::optional<v1::ManifestRow>& own) const {
  for (const Digest& child : own_and_children_) {
    const std::string key = keys::ManifestOf(parts_.repository, child);
    TRY(auto row, LockRow<v1::ManifestRow>(transaction, key));
    if (child == parts_.digest) {
      own = std::move(row);
    } else if (!row.has_value()) {
      missing.push_back(child.ToString());
    } else if (parts_.collection.Touch(*row)) {
      TRY_VOID(WriteRow(transaction, key, *row));
    }
  }
  return {};
}

// A tag refers to the manifest, and an index to its children: they are no candidates of the
// collector. A new manifest that is pushed by its digest is a candidate.
Result<void> ManifestPush::UpdateCandidates(MetaTransaction& transaction, bool is_new) const {
  for (const Digest& child : children_) {
    TRY_VOID(Collection::DropCandidate(transaction, parts_.repository, child));
  }
  if (!parts_.tags.empty()) {
    return Collection::DropCandidate(transaction, parts_.repository, parts_.digest);
  }
  if (!is_new) return {};
  return parts_.collection.AddCandidate(transaction, parts_.repository, parts_.digest);
}

Result<void> ManifestPush::WriteManifest(MetaTransaction& transaction,
                                         const std::optional<v1::ManifestRow>& before,
                                         std::vector<v1::Change>& changes) const {
  const Manifest& manifest = parts_.manifest;
  v1::ManifestRow row = before.value_or(v1::ManifestRow());
  if (!before.has_value()) row.set_created_ms(parts_.collection.now_ms());
  row.set_media_type(manifest.media_type);
  row.set_size_bytes(parts_.body.size());
  if (manifest.subject.has_value()) row.set_subject(manifest.subject->digest.ToString());
  parts_.collection.Touch(row);
  TRY_VOID(WriteRow(transaction, keys::ManifestOf(parts_.repository, parts_.digest), row));
  TRY_VOID(UntrashManifest(transaction, parts_.repository, parts_.digest));
  TRY_VOID(transaction.Put(keys::Holder(parts_.digest, parts_.repository), {}));
  for (const std::vector<Digest>* children : {&blobs_, &children_}) {
    for (const Digest& child : *children) {
      TRY_VOID(transaction.Put(keys::ReferenceOf(child, parts_.repository, parts_.digest), {}));
    }
  }
  v1::Change::ManifestPut& put = *changes.emplace_back().mutable_manifest_put();
  put.set_repository(parts_.repository.ToString());
  put.set_digest(parts_.digest.ToString());
  *put.mutable_row() = Replicated(row);
  parts_.auditor.Add(transaction, "manifest.push", put.repository() + "@" + put.digest(),
                     before.has_value() ? RowJson(Replicated(*before)) : nullptr,
                     RowJson(put.row()));
  if (!manifest.subject.has_value()) return {};
  return WriteReferrer(transaction, changes);
}

Result<void> ManifestPush::WriteReferrer(MetaTransaction& transaction,
                                         std::vector<v1::Change>& changes) const {
  const Digest& subject = parts_.manifest.subject->digest;
  v1::Change::ReferrerSet& set = *changes.emplace_back().mutable_referrer_set();
  set.set_repository(parts_.repository.ToString());
  set.set_subject(subject.ToString());
  set.set_digest(parts_.digest.ToString());
  *set.mutable_row() = ToReferrerRow(parts_.manifest, parts_.body.size());
  return WriteRow(transaction, keys::Referrer(parts_.repository, subject, parts_.digest),
                  set.row());
}

Result<void> ManifestPush::WriteTag(MetaTransaction& transaction, const Tag& tag, int64_t time_ms,
                                    std::vector<v1::Change>& changes) const {
  const std::string key = keys::TagOf(parts_.repository, tag);
  TRY(const auto old, LockRow<v1::TagRow>(transaction, key));
  const std::string text = parts_.digest.ToString();
  const std::string& media_type = parts_.manifest.media_type;
  if (old.has_value() && old->digest() == text && old->media_type() == media_type) return {};
  if (old.has_value()) {
    // Another media type also changes what clients get by the tag.
    TRY(const auto protection, TagProtection::Read(transaction, parts_.repository));
    TRY_VOID(protection.RequireUnprotected(tag));
    TRY(const Digest before, Digest::Parse(old->digest()));
    TRY_VOID(transaction.Delete(keys::Tagged(parts_.repository, before, tag)));
    if (before != parts_.digest) {
      TRY_VOID(parts_.collection.AddCandidate(transaction, parts_.repository, before));
    }
  }
  if (!old.has_value() || old->digest() != text) {
    const TagChange change{.before = old.has_value() ? old->digest() : std::string(),
                           .after = text,
                           .why = std::string(parts_.why),
                           .now_ms = parts_.collection.now_ms()};
    TRY_VOID(RecordTagEvent(transaction, parts_.repository, tag, change, parts_.auditor.actor()));
  }
  v1::Change::TagSet& set = *changes.emplace_back().mutable_tag_set();
  set.set_repository(parts_.repository.ToString());
  set.set_tag(tag.ToString());
  set.mutable_row()->set_digest(text);
  set.mutable_row()->set_media_type(media_type);
  set.mutable_row()->set_size_bytes(parts_.body.size());
  set.mutable_row()->set_updated_ms(time_ms);
  TRY_VOID(WriteRow(transaction, key, set.row()));
  parts_.auditor.Add(transaction, "tag.set", set.repository() + ":" + set.tag(), RowJson(old),
                     RowJson(set.row()));
  return transaction.Put(keys::Tagged(parts_.repository, parts_.digest, tag), {});
}

Result<void> ManifestPush::Run(MetaTransaction& transaction) const {
  std::vector<std::string> missing;
  std::optional<v1::ManifestRow> own;
  TRY_VOID(LockBlobs(transaction, missing));
  TRY_VOID(WriteContent(transaction));
  TRY_VOID(LockManifests(transaction, missing, own));
  if (!missing.empty()) return MissingContent(std::move(missing));
  std::vector<v1::Change> changes;
  if (!own.has_value() || own->media_type() != parts_.manifest.media_type) {
    TRY_VOID(WriteManifest(transaction, own, changes));
  } else if (parts_.collection.Touch(*own)) {
    TRY_VOID(WriteRow(transaction, keys::ManifestOf(parts_.repository, parts_.digest), *own));
  }
  TRY_VOID(
      EnsureRepository(transaction, parts_.repository, parts_.collection.now_ms(), parts_.auditor));
  for (size_t i = 0; i < parts_.tags.size(); ++i) {
    const int64_t time_ms =
        parts_.tag_times_ms.empty() ? parts_.collection.now_ms() : parts_.tag_times_ms[i];
    TRY_VOID(WriteTag(transaction, parts_.tags[i], time_ms, changes));
  }
  // After the tags: the rows of candidates are locked in the order in which the tags name them. So
  // two pushes that swap a tag wait for the tag, and not for each other.
  TRY_VOID(UpdateCandidates(transaction, !own.has_value()));
  for (const v1::Change& change : changes) AppendChange(transaction, change);
  return {};
}

}  // namespace outport::store
