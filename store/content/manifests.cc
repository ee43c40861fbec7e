#include "store/content/manifests.h"

#include <set>
#include <utility>

#include "registry/records/content_rows.h"
#include "registry/records/rows.h"
#include "store/content/manifest_push.h"
#include "store/content/manifest_removal.h"
#include "store/content/repositories.h"
#include "store/content/stored_manifest.h"
#include "store/content/tag_rules.h"

namespace outport::store {
namespace {

// Returns the tags to set, sorted and without duplicates: `others` and, if the reference is a tag,
// that tag.
std::vector<Tag> SortedTags(const Reference& reference, const std::vector<Tag>& others) {
  std::set<Tag> tags(others.begin(), others.end());
  if (const Tag* tag = std::get_if<Tag>(&reference)) tags.insert(*tag);
  return {tags.begin(), tags.end()};
}

}  // namespace

Result<ManifestInfo> Manifests::Stat(const RepositoryName& repository,
                                     const Reference& reference) const {
  TRY(ResolveAnswer answer, ContentRows(parts_.meta).Resolve(AskManifest(repository, reference)));
  if (answer.found()) {
    ResolveAnswer::Content& found = *answer.content;
    return ManifestInfo{std::move(found.digest), std::move(found.media_type), found.size_bytes};
  }
  TRY_VOID(RequireRepository(parts_.meta, repository));
  return UnknownManifest(repository, reference);
}

Result<StoredManifest> Manifests::Get(const RepositoryName& repository,
                                      const Reference& reference) const {
  TRY(ManifestInfo info, Stat(repository, reference));
  TRY(std::optional<std::string> body, parts_.meta.Get(keys::Content(info.digest)));
  if (!body.has_value()) return UnknownManifest(repository, reference);  // deleted since the lookup
  if (Digest::Of(info.digest.algorithm(), AsBytes(*body)) != info.digest) {
    return Error{ErrorCode::kCorrupt, "the stored bytes of manifest " + info.digest.ToString() +
                                          " do not have that digest; push it again"};
  }
  return StoredManifest{std::move(info), *std::move(body)};
}

Result<Manifests::Touched> Manifests::Touch(const RepositoryName& repository,
                                            const Reference& reference) {
  const Collection collection = Now();
  TRY(ManifestInfo info, Stat(repository, reference));
  const std::string key = keys::ManifestOf(repository, info.digest);
  TRY(auto row, ReadRow<v1::ManifestRow>(parts_.meta, key));
  if (!row.has_value() || !collection.HasLease(row->lease_until_ms())) {
    auto touch = [&](MetaTransaction& transaction) -> Result<void> {
      TRY(row, LockRow<v1::ManifestRow>(transaction, key));
      if (!row.has_value()) return UnknownManifest(repository, reference);
      return collection.Touch(*row) ? WriteRow(transaction, key, *row) : Result<void>();
    };
    TRY_VOID(Transact(parts_.meta, touch));
  }
  return Touched{std::move(info), row->lease_until_ms() - collection.now_ms()};
}

Result<Manifests::Parsed> Manifests::Parse(const Reference& reference,
                                           const std::string& content_type,
                                           const std::string& body) {
  TRY(Manifest manifest, Manifest::Parse(body, content_type));
  const Digest* wanted = std::get_if<Digest>(&reference);
  const DigestAlgorithm algorithm =
      wanted != nullptr ? wanted->algorithm() : DigestAlgorithm::kSha256;
  Digest digest = Digest::Of(algorithm, AsBytes(body));
  if (wanted != nullptr && *wanted != digest) {
    return Error{ErrorCode::kDigestInvalid,
                 "the manifest was pushed as " + wanted->ToString() + ", but its digest is " +
                     digest.ToString(),
                 {wanted->ToString()}};
  }
  return Parsed{std::move(manifest), std::move(digest)};
}

Result<PushedManifest> Manifests::Put(const RepositoryName& repository, const Reference& reference,
                                      const std::string& content_type, const std::vector<Tag>& tags,
                                      const std::string& body, const Actor& by) {
  TRY(const Parsed parsed, Parse(reference, content_type, body));
  return Put(repository, reference, parsed, tags, body, by);
}

Result<PushedManifest> Manifests::Put(const RepositoryName& repository, const Reference& reference,
                                      const Parsed& parsed, const std::vector<Tag>& tags,
                                      const std::string& body, const Actor& by) {
  const Manifest& manifest = parsed.manifest;
  const std::vector<Tag> sorted = SortedTags(reference, tags);
  const Collection collection = Now();
  const Auditor auditor(by, parts_.clock);
  const ManifestPush push({.repository = repository,
                           .manifest = manifest,
                           .digest = parsed.digest,
                           .tags = sorted,
                           .body = body,
                           .collection = collection,
                           .auditor = auditor});
  if (IsLarge(manifest)) TRY_VOID(push.RequireContent(parts_.meta));
  auto run = [&push](MetaTransaction& transaction) { return push.Run(transaction); };
  TRY(const LogPosition position, Transact(parts_.meta, run));
  std::optional<Digest> subject;
  if (manifest.subject.has_value()) subject = manifest.subject->digest;
  return PushedManifest{parsed.digest, std::move(subject), position.sequence};
}

Result<bool> Manifests::HasLarge(const RepositoryName& repository, const Digest& digest) const {
  TRY(const auto row, ReadRow<v1::ManifestRow>(parts_.meta, keys::ManifestOf(repository, digest)));
  if (!row.has_value() || !MayBeLarge(row->size_bytes())) return false;
  TRY(const auto manifest, ReadManifest(parts_.meta, digest, row->media_type()));
  return manifest.has_value() && IsLarge(*manifest);
}

Result<Deleted> Manifests::Delete(const RepositoryName& repository, const Reference& reference,
                                  const Actor& by) {
  const Auditor auditor(by, parts_.clock);
  Result<Deleted> deleted = std::holds_alternative<Tag>(reference)
                                ? DeleteTag(repository, std::get<Tag>(reference), auditor)
                                : DeleteDigest(repository, std::get<Digest>(reference), auditor);
  if (deleted.has_value() || deleted.error().code != ErrorCode::kManifestUnknown) return deleted;
  TRY_VOID(RequireRepository(parts_.meta, repository));
  return deleted;
}

Result<Deleted> Manifests::DeleteTag(const RepositoryName& repository, const Tag& tag,
                                     const Auditor& auditor) {
  const Collection collection = Now();
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    TRY_VOID(RemoveTag(transaction, repository, tag, collection, auditor));
    return {};
  };
  TRY(const LogPosition position, Transact(parts_.meta, remove));
  return Deleted{position.sequence};
}

Result<Deleted> Manifests::DeleteDigest(const RepositoryName& repository, const Digest& digest,
                                        const Auditor& auditor) {
  TRY(const auto row, ReadRow<v1::ManifestRow>(parts_.meta, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return UnknownManifest(repository, digest);
  // The transactions below check the manifest's own tags, too. But the first of several must not
  // delete tags if a later one would refuse.
  TRY_VOID(RequireUnprotectedImage(parts_.meta, repository, digest));
  // If the bytes are corrupt, the children are unknown, and the reference rows stay. Those rows
  // have no effect without their manifest. If the bytes are right, they cannot change before the
  // transaction: the digest fixes them.
  const Collection collection = Now();
  TRY(std::optional<Digest> subject, SubjectOf(*row));
  ManifestRemoval::Parts parts{.repository = repository,
                               .digest = digest,
                               .blobs = {},
                               .manifests = {},
                               .subject = std::move(subject),
                               .collection = collection,
                               .run = {},
                               .auditor = auditor};
  TRY(std::optional<Manifest> manifest, ReadManifest(parts_.meta, digest, row->media_type()));
  parts.children_known = manifest.has_value();
  if (manifest.has_value()) {
    parts.blobs = std::move(manifest->blobs);
    parts.manifests = std::move(manifest->manifests);
  }
  const ManifestRemoval removal(std::move(parts));
  LogPosition position;
  for (bool done = false; !done;) {
    auto run = [&](MetaTransaction& transaction) {
      transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
      return removal.Run(transaction, done);
    };
    TRY(position, Transact(parts_.meta, run));
  }
  return Deleted{position.sequence};
}

}  // namespace outport::store
