#include "store/content/manifest_push.h"

#include <set>
#include <utility>

#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/blobs.h"
#include "store/content/referrers.h"
#include "store/content/repositories.h"

namespace outport::store {

std::vector<Digest> SortedDigests(const std::vector<Descriptor>& descriptors) {
  std::set<std::pair<std::string, Digest>> digests;
  for (const Descriptor& descriptor : descriptors) {
    digests.emplace(descriptor.digest.ToString(), descriptor.digest);
  }
  std::vector<Digest> sorted;
  sorted.reserve(digests.size());
  for (const auto& [text, digest] : digests) sorted.push_back(digest);
  return sorted;
}

// Locks the row of each blob that the manifest names, and touches the blob. Adds blobs that the
// repository lacks to `missing`.
Result<void> ManifestPush::LockBlobs(MetaTransaction& transaction,
                                     std::vector<std::string>& missing) const {
  for (const Digest& blob : SortedDigests(parts_.manifest.blobs)) {
    const std::string key = keys::Blob(blob);
    TRY(auto row, LockRow<v1::BlobRow>(transaction, key));
    TRY(const bool linked, HasRow(transaction, keys::Link(parts_.repository, blob)));
    if (!linked || !row.has_value() || !IsUsable(*row)) {
      missing.push_back(blob.ToString());
    } else if (TouchBlob(*row, parts_.now_ms)) {
      TRY_VOID(WriteRow(transaction, key, *row));
    }
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

// Locks the rows of the manifest itself and, for an index, of its children. Sets `own` to the
// manifest's own row. Adds children that the repository lacks to `missing`.
Result<void> ManifestPush::LockManifests(MetaTransaction& transaction,
                                         std::vector<std::string>& missing,
                                         std::optional<v1::ManifestRow>& own) const {
  std::vector<Descriptor> all = parts_.manifest.manifests;
  all.push_back(Descriptor{.media_type = {}, .digest = parts_.digest});
  for (const Digest& child : SortedDigests(all)) {
    const std::string key = keys::ManifestOf(parts_.repository, child);
    TRY(auto row, LockRow<v1::ManifestRow>(transaction, key));
    if (child == parts_.digest) {
      own = std::move(row);
    } else if (!row.has_value()) {
      missing.push_back(child.ToString());
    }
  }
  return {};
}

Result<void> ManifestPush::WriteManifest(MetaTransaction& transaction,
                                         const std::optional<v1::ManifestRow>& before,
                                         std::vector<v1::Change>& changes) const {
  const Manifest& manifest = parts_.manifest;
  v1::ManifestRow row = before.value_or(v1::ManifestRow());
  if (!before.has_value()) row.set_created_ms(parts_.now_ms);
  row.set_media_type(manifest.media_type);
  row.set_size_bytes(parts_.body.size());
  if (manifest.subject.has_value()) row.set_subject(manifest.subject->digest.ToString());
  TRY_VOID(WriteRow(transaction, keys::ManifestOf(parts_.repository, parts_.digest), row));
  TRY_VOID(transaction.Put(keys::Holder(parts_.digest, parts_.repository), {}));
  for (const std::vector<Descriptor>* children : {&manifest.blobs, &manifest.manifests}) {
    for (const Digest& child : SortedDigests(*children)) {
      TRY_VOID(transaction.Put(keys::ReferenceOf(child, parts_.repository, parts_.digest), {}));
    }
  }
  v1::Change::ManifestPut& put = *changes.emplace_back().mutable_manifest_put();
  put.set_repository(parts_.repository.ToString());
  put.set_digest(parts_.digest.ToString());
  *put.mutable_row() = row;
  parts_.auditor.Add(transaction, "manifest.push", put.repository() + "@" + put.digest(),
                     RowJson(before), RowJson(row));
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

Result<void> ManifestPush::WriteTag(MetaTransaction& transaction, const Tag& tag,
                                    std::vector<v1::Change>& changes) const {
  const std::string key = keys::TagOf(parts_.repository, tag);
  TRY(const auto old, LockRow<v1::TagRow>(transaction, key));
  const std::string text = parts_.digest.ToString();
  const std::string& media_type = parts_.manifest.media_type;
  if (old.has_value() && old->digest() == text && old->media_type() == media_type) return {};
  if (old.has_value()) {
    TRY(const Digest before, Digest::Parse(old->digest()));
    TRY_VOID(transaction.Delete(keys::Tagged(parts_.repository, before, tag)));
  }
  v1::Change::TagSet& set = *changes.emplace_back().mutable_tag_set();
  set.set_repository(parts_.repository.ToString());
  set.set_tag(tag.ToString());
  set.mutable_row()->set_digest(text);
  set.mutable_row()->set_media_type(media_type);
  set.mutable_row()->set_size_bytes(parts_.body.size());
  set.mutable_row()->set_updated_ms(parts_.now_ms);
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
  if (!missing.empty()) {
    return Error{ErrorCode::kManifestBlobUnknown,
                 "repository " + parts_.repository.ToString() + " lacks " +
                     std::to_string(missing.size()) +
                     " blobs or manifests that the manifest refers to; push them first",
                 std::move(missing)};
  }
  std::vector<v1::Change> changes;
  if (!own.has_value() || own->media_type() != parts_.manifest.media_type) {
    TRY_VOID(WriteManifest(transaction, own, changes));
  }
  TRY_VOID(EnsureRepository(transaction, parts_.repository, parts_.now_ms, parts_.auditor));
  for (const Tag& tag : parts_.tags) TRY_VOID(WriteTag(transaction, tag, changes));
  for (const v1::Change& change : changes) AppendChange(transaction, change);
  return {};
}

}  // namespace outport::store
