#include "store/content/manifest_removal.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/manifest_push.h"

namespace outport::store {
namespace {

constexpr size_t kMaxTags = 1000;  // the most tags that one transaction deletes

Result<void> EraseTag(MetaTransaction& transaction, const RepositoryName& repository,
                      const Tag& tag, const v1::TagRow& row, const Auditor& auditor) {
  TRY(const Digest digest, Digest::Parse(row.digest()));
  TRY_VOID(transaction.Delete(keys::TagOf(repository, tag)));
  TRY_VOID(transaction.Delete(keys::Tagged(repository, digest, tag)));
  v1::Change change;
  change.mutable_tag_deleted()->set_repository(repository.ToString());
  change.mutable_tag_deleted()->set_tag(tag.ToString());
  AppendChange(transaction, change);
  auditor.Add(transaction, "tag.delete", repository.ToString() + ":" + tag.ToString(), RowJson(row),
              nullptr);
  return {};
}

}  // namespace

Error UnknownManifest(const RepositoryName& repository, const Reference& reference) {
  return Error{ErrorCode::kManifestUnknown,
               "there is no manifest " + ToString(reference) + " in " + repository.ToString(),
               {ToString(reference)}};
}

Result<void> RemoveTag(MetaTransaction& transaction, const RepositoryName& repository,
                       const Tag& tag, const Auditor& auditor) {
  TRY(const auto row, LockRow<v1::TagRow>(transaction, keys::TagOf(repository, tag)));
  if (!row.has_value()) return UnknownManifest(repository, tag);
  return EraseTag(transaction, repository, tag, *row, auditor);
}

// Locks the same keys as a push and the garbage collector: the blobs that the manifest refers to,
// the manifest's bytes, the manifest and its children. So until the transaction ends, no push can
// tag the manifest or refer to it.
Result<v1::ManifestRow> ManifestRemoval::Lock(MetaTransaction& transaction) const {
  for (const Digest& blob : SortedDigests(parts_.blobs)) {
    TRY(const auto row, transaction.GetForUpdate(keys::Blob(blob)));
  }
  TRY(const auto content, transaction.GetForUpdate(keys::Content(parts_.digest)));
  std::vector<Descriptor> all = parts_.manifests;
  all.push_back(Descriptor{.media_type = {}, .digest = parts_.digest});
  std::optional<v1::ManifestRow> own;
  for (const Digest& child : SortedDigests(all)) {
    const std::string key = keys::ManifestOf(parts_.repository, child);
    TRY(auto row, LockRow<v1::ManifestRow>(transaction, key));
    if (child == parts_.digest) own = std::move(row);
  }
  if (!own.has_value()) return UnknownManifest(parts_.repository, parts_.digest);
  return *std::move(own);
}

Result<void> ManifestRemoval::RemoveTag(MetaTransaction& transaction, const Tag& tag) const {
  TRY(const auto row, LockRow<v1::TagRow>(transaction, keys::TagOf(parts_.repository, tag)));
  // Another push may have moved the tag before this transaction locked it. Keep such a tag.
  if (!row.has_value() || row->digest() != parts_.digest.ToString()) return {};
  return EraseTag(transaction, parts_.repository, tag, *row, parts_.auditor);
}

// Deletes this repository's holder row. If no other repository needs the manifest, deletes the
// bytes, too. A push locks the bytes before it adds a holder, so no holder can appear meanwhile.
Result<void> ManifestRemoval::ReleaseContent(MetaTransaction& transaction) const {
  TRY_VOID(transaction.Delete(keys::Holder(parts_.digest, parts_.repository)));
  const ScanRange range{.prefix = keys::HoldersOf(parts_.digest), .after = {}, .limit = 1};
  TRY(const std::vector<KeyValue> others, transaction.Scan(range));
  if (!others.empty()) return {};
  return transaction.Delete(keys::Content(parts_.digest));
}

Result<void> ManifestRemoval::RemoveManifest(MetaTransaction& transaction,
                                             const v1::ManifestRow& row) const {
  TRY_VOID(ReleaseContent(transaction));
  TRY_VOID(transaction.Delete(keys::ManifestOf(parts_.repository, parts_.digest)));
  for (const std::vector<Descriptor>* children : {&parts_.blobs, &parts_.manifests}) {
    for (const Digest& child : SortedDigests(*children)) {
      TRY_VOID(transaction.Delete(keys::ReferenceOf(child, parts_.repository, parts_.digest)));
    }
  }
  if (!row.subject().empty()) {
    TRY(const Digest subject, Digest::Parse(row.subject()));
    TRY_VOID(transaction.Delete(keys::Referrer(parts_.repository, subject, parts_.digest)));
    v1::Change change;
    change.mutable_referrer_deleted()->set_repository(parts_.repository.ToString());
    change.mutable_referrer_deleted()->set_subject(row.subject());
    change.mutable_referrer_deleted()->set_digest(parts_.digest.ToString());
    AppendChange(transaction, change);
  }
  v1::Change change;
  change.mutable_manifest_deleted()->set_repository(parts_.repository.ToString());
  change.mutable_manifest_deleted()->set_digest(parts_.digest.ToString());
  AppendChange(transaction, change);
  parts_.auditor.Add(transaction, "manifest.delete",
                     parts_.repository.ToString() + "@" + parts_.digest.ToString(), RowJson(row),
                     nullptr);
  return {};
}

Result<void> ManifestRemoval::Run(MetaTransaction& transaction, bool& done) const {
  TRY(const v1::ManifestRow row, Lock(transaction));
  const std::string prefix = keys::TagsOn(parts_.repository, parts_.digest);
  TRY(const std::vector<KeyValue> tagged,
      transaction.Scan({.prefix = prefix, .after = {}, .limit = kMaxTags + 1}));
  done = tagged.size() <= kMaxTags;
  for (size_t i = 0; i < std::min(tagged.size(), kMaxTags); ++i) {
    TRY(const Tag tag, Tag::Parse(keys::After(tagged[i].key, prefix)));
    TRY_VOID(RemoveTag(transaction, tag));
  }
  if (!done) return {};
  return RemoveManifest(transaction, row);
}

}  // namespace outport::store
