#include "store/manifests.h"

#include <map>
#include <set>
#include <utility>

#include "store/blobs.h"
#include "store/repositories.h"
#include "store/rows.h"

namespace outport::store {
namespace {

Error Unknown(const RepositoryName& repository, const Reference& reference) {
  return Error{ErrorCode::kManifestUnknown,
               "there is no manifest " + ToString(reference) + " in " + repository.ToString(),
               {ToString(reference)}};
}

std::vector<Digest> Sorted(const std::vector<Descriptor>& descriptors) {
  std::set<std::pair<std::string, Digest>> digests;  // in byte order of their text, as keys are
  for (const Descriptor& descriptor : descriptors) {
    digests.emplace(descriptor.digest.ToString(), descriptor.digest);
  }
  std::vector<Digest> sorted;
  for (const auto& [text, digest] : digests) sorted.push_back(digest);
  return sorted;
}

// A manifest on its way into a repository: what it is, and the transaction's steps.
struct Push {
  const RepositoryName& repository;
  const Manifest& manifest;
  const Digest& digest;
  const Tag* tag;  // nullptr: pushed by digest
  const std::string& body;
  const int64_t now_ms;

  Result<void> LockBlobs(MetaTransaction& transaction, std::vector<std::string>& missing) const;
  Result<void> LockManifests(MetaTransaction& transaction, std::vector<std::string>& missing,
                             std::optional<v1::ManifestRow>& own) const;
  Result<void> WriteManifest(MetaTransaction& transaction, v1::ManifestRow row,
                             std::vector<v1::Change>& changes) const;
  Result<void> WriteTag(MetaTransaction& transaction, std::vector<v1::Change>& changes) const;
  Result<void> Run(MetaTransaction& transaction) const;
};

// Locks the row of every blob that the manifest names, and touches it: from here on the blob is
// referred to.
Result<void> Push::LockBlobs(MetaTransaction& transaction,
                             std::vector<std::string>& missing) const {
  for (const Digest& blob : Sorted(manifest.blobs)) {
    const std::string key = keys::Blob(blob);
    TRY(auto row, LockRow<v1::BlobRow>(transaction, key));
    TRY(const bool linked, HasRow(transaction, keys::Link(repository, blob)));
    if (!linked || !row.has_value() || !IsUsable(*row)) {
      missing.push_back(blob.ToString());
    } else if (TouchBlob(*row, now_ms)) {
      TRY_VOID(WriteRow(transaction, key, *row));
    }
  }
  return {};
}

// Locks the rows of an index's children and of the manifest itself, which `own` is set to.
Result<void> Push::LockManifests(MetaTransaction& transaction, std::vector<std::string>& missing,
                                 std::optional<v1::ManifestRow>& own) const {
  std::vector<Descriptor> all = manifest.manifests;
  all.push_back(Descriptor{.media_type = {}, .digest = digest});
  for (const Digest& child : Sorted(all)) {
    TRY(auto row, LockRow<v1::ManifestRow>(transaction, keys::ManifestOf(repository, child)));
    if (child == digest) {
      own = std::move(row);
    } else if (!row.has_value()) {
      missing.push_back(child.ToString());
    }
  }
  return {};
}

Result<void> Push::WriteManifest(MetaTransaction& transaction, v1::ManifestRow row,
                                 std::vector<v1::Change>& changes) const {
  TRY_VOID(WriteRow(transaction, keys::ManifestOf(repository, digest), row));
  for (const std::vector<Descriptor>* children : {&manifest.blobs, &manifest.manifests}) {
    for (const Digest& child : Sorted(*children)) {
      TRY_VOID(transaction.Put(keys::ReferenceOf(child, repository, digest), {}));
    }
  }
  if (manifest.subject.has_value()) {
    v1::ReferrerRow referrer;
    referrer.set_media_type(manifest.media_type);
    referrer.set_size_bytes(body.size());
    referrer.set_artifact_type(manifest.artifact_type);
    referrer.mutable_annotations()->insert(manifest.annotations.begin(),
                                           manifest.annotations.end());
    const std::string key = keys::Referrer(repository, manifest.subject->digest, digest);
    TRY_VOID(WriteRow(transaction, key, referrer));
  }
  v1::Change::ManifestPut& put = *changes.emplace_back().mutable_manifest_put();
  put.set_repository(repository.ToString());
  put.set_digest(digest.ToString());
  *put.mutable_row() = std::move(row);
  return {};
}

Result<void> Push::WriteTag(MetaTransaction& transaction, std::vector<v1::Change>& changes) const {
  const std::string key = keys::TagOf(repository, *tag);
  TRY(const auto old, LockRow<v1::TagRow>(transaction, key));
  const std::string text = digest.ToString();
  if (old.has_value() && old->digest() == text && old->media_type() == manifest.media_type) {
    return {};
  }
  if (old.has_value()) {
    TRY(const Digest before, Digest::Parse(old->digest()));
    TRY_VOID(transaction.Delete(keys::Tagged(repository, before, *tag)));
  }
  v1::Change::TagSet& set = *changes.emplace_back().mutable_tag_set();
  set.set_repository(repository.ToString());
  set.set_tag(tag->ToString());
  set.mutable_row()->set_digest(text);
  set.mutable_row()->set_media_type(manifest.media_type);
  set.mutable_row()->set_size_bytes(body.size());
  set.mutable_row()->set_updated_ms(now_ms);
  TRY_VOID(WriteRow(transaction, key, set.row()));
  return transaction.Put(keys::Tagged(repository, digest, *tag), {});
}

Result<void> Push::Run(MetaTransaction& transaction) const {
  std::vector<std::string> missing;
  std::optional<v1::ManifestRow> own;
  TRY_VOID(LockBlobs(transaction, missing));
  const std::string content = keys::Content(digest);
  TRY(const auto stored, transaction.GetForUpdate(content));
  // Bytes that rotted are mended by a push of the right ones.
  if (!stored.has_value() || *stored != body) TRY_VOID(transaction.Put(content, body));
  TRY_VOID(LockManifests(transaction, missing, own));
  if (!missing.empty()) {
    return Error{ErrorCode::kManifestBlobUnknown,
                 "the manifest refers to blobs or manifests that " + repository.ToString() +
                     " does not have: " + std::to_string(missing.size()) + "; push them first",
                 std::move(missing)};
  }
  std::vector<v1::Change> changes;
  if (!own.has_value() || own->media_type() != manifest.media_type) {
    v1::ManifestRow row = own.value_or(v1::ManifestRow());
    if (!own.has_value()) row.set_created_ms(now_ms);
    row.set_media_type(manifest.media_type);
    row.set_size_bytes(body.size());
    if (manifest.subject.has_value()) row.set_subject(manifest.subject->digest.ToString());
    TRY_VOID(WriteManifest(transaction, std::move(row), changes));
  }
  TRY_VOID(EnsureRepository(transaction, repository, now_ms));
  if (tag != nullptr) TRY_VOID(WriteTag(transaction, changes));
  for (const v1::Change& change : changes) AppendChange(transaction, change);
  return {};
}

}  // namespace

Result<ManifestInfo> Manifests::Stat(const RepositoryName& repository,
                                     const Reference& reference) const {
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    TRY(const auto row, ReadRow<v1::TagRow>(meta_, keys::TagOf(repository, *tag)));
    if (row.has_value()) {
      TRY(Digest digest, Digest::Parse(row->digest()));
      return ManifestInfo{std::move(digest), row->media_type(), row->size_bytes()};
    }
  } else {
    const Digest& digest = std::get<Digest>(reference);
    TRY(const auto row, ReadRow<v1::ManifestRow>(meta_, keys::ManifestOf(repository, digest)));
    if (row.has_value()) return ManifestInfo{digest, row->media_type(), row->size_bytes()};
  }
  TRY_VOID(RequireRepository(meta_, repository));
  return Unknown(repository, reference);
}

Result<StoredManifest> Manifests::Get(const RepositoryName& repository,
                                      const Reference& reference) const {
  TRY(ManifestInfo info, Stat(repository, reference));
  TRY(std::optional<std::string> body, meta_.Get(keys::Content(info.digest)));
  if (!body.has_value()) return Unknown(repository, reference);  // just deleted
  if (Digest::Of(info.digest.algorithm(), AsBytes(*body)) != info.digest) {
    return Error{ErrorCode::kCorrupt, "the stored bytes of manifest " + info.digest.ToString() +
                                          " do not have that digest; push it again"};
  }
  return StoredManifest{std::move(info), *std::move(body)};
}

Result<PushedManifest> Manifests::Put(const RepositoryName& repository, const Reference& reference,
                                      const std::string& content_type, const std::string& body) {
  TRY(const Manifest manifest, Manifest::Parse(body, content_type));
  const Digest* wanted = std::get_if<Digest>(&reference);
  const DigestAlgorithm algorithm =
      wanted != nullptr ? wanted->algorithm() : DigestAlgorithm::kSha256;
  const Digest digest = Digest::Of(algorithm, AsBytes(body));
  if (wanted != nullptr && *wanted != digest) {
    return Error{ErrorCode::kDigestInvalid,
                 "the manifest was sent as " + wanted->ToString() + " but is " + digest.ToString(),
                 {wanted->ToString()}};
  }
  const Push push{.repository = repository,
                  .manifest = manifest,
                  .digest = digest,
                  .tag = std::get_if<Tag>(&reference),
                  .body = body,
                  .now_ms = ToUnixMillis(clock_.Wall())};
  auto run = [&push](MetaTransaction& transaction) { return push.Run(transaction); };
  TRY(const LogPosition position, Transact(meta_, run));
  std::optional<Digest> subject;
  if (manifest.subject.has_value()) subject = manifest.subject->digest;
  return PushedManifest{digest, std::move(subject), position.sequence};
}

}  // namespace outport::store
