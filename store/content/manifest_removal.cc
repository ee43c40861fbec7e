#include "store/content/manifest_removal.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/manifest_push.h"
#include "store/content/pulls.h"
#include "store/content/tag_history.h"
#include "store/content/tag_rules.h"
#include "store/content/trash.h"

namespace outport::store {
namespace {

constexpr size_t kMaxTags = 1000;      // the most tags that one transaction deletes
constexpr size_t kMaxReferrers = 256;  // the most candidates that one transaction adds
constexpr size_t kReferrerScanBytes = 1 << 20;

void KeepNewer(v1::PullRow& newest, const v1::PullRow& pull) {
  if (pull.last_ms() > newest.last_ms()) newest = pull;
}

// Notes in the row of a condemned link the last known pull of a manifest that referred to the blob.
// The rows of that pull go with the manifest, and the plan of a run shows which pulls it breaks.
void NotePull(v1::LinkRow& link, const v1::PullRow& pull) {
  if (pull.last_ms() <= link.pulled_ms()) return;
  link.set_pulled_ms(pull.last_ms());
  link.set_pulled_at(pull.node());
}

// Returns what the tag was, for the trash.
Result<v1::TrashRow::TagDeletion> EraseTag(MetaTransaction& transaction,
                                           const RepositoryName& repository, const Tag& tag,
                                           const v1::TagRow& row, const Collection& collection,
                                           const Auditor& auditor, const std::string& why) {
  v1::TrashRow::TagDeletion deletion;
  deletion.set_repository(repository.ToString());
  deletion.set_tag(tag.ToString());
  *deletion.mutable_row() = row;
  TRY(const Digest digest, Digest::Parse(row.digest()));
  TRY_VOID(collection.AddCandidate(transaction, repository, digest));
  TRY_VOID(transaction.Delete(keys::TagOf(repository, tag)));
  TRY_VOID(transaction.Delete(keys::Tagged(repository, digest, tag)));
  TRY(auto pull, TakePull(transaction, repository, tag.ToString()));
  if (pull.has_value()) *deletion.mutable_pull() = *std::move(pull);
  v1::Change change;
  change.mutable_tag_deleted()->set_repository(deletion.repository());
  change.mutable_tag_deleted()->set_tag(deletion.tag());
  AppendChange(transaction, change);
  auditor.Add(transaction, "tag.delete", repository.ToString() + ":" + tag.ToString(), RowJson(row),
              nullptr);
  const TagChange history{
      .before = row.digest(), .after = {}, .why = why, .now_ms = collection.now_ms()};
  TRY_VOID(RecordTagEvent(transaction, repository, tag, history, auditor.actor()));
  return deletion;
}

std::vector<Digest> ChildrenOf(const ManifestRemoval::Parts& parts) {
  std::vector<Descriptor> children = parts.blobs;
  children.insert(children.end(), parts.manifests.begin(), parts.manifests.end());
  return SortedDigests(children);
}

}  // namespace

Result<std::optional<Digest>> SubjectOf(const v1::ManifestRow& row) {
  if (row.subject().empty()) return std::optional<Digest>();
  TRY(Digest subject, Digest::Parse(row.subject()));
  return std::optional<Digest>(std::move(subject));
}

Result<v1::TrashRow::TagDeletion> RemoveTag(MetaTransaction& transaction,
                                            const RepositoryName& repository, const Tag& tag,
                                            const Collection& collection, const Auditor& auditor,
                                            const std::string& why) {
  TRY(const auto row, LockRow<v1::TagRow>(transaction, keys::TagOf(repository, tag)));
  if (!row.has_value()) return UnknownManifest(repository, tag);
  TRY(const auto protection, TagProtection::Read(transaction, repository));
  TRY_VOID(protection.RequireUnprotected(tag));
  return EraseTag(transaction, repository, tag, *row, collection, auditor, why);
}

ManifestRemoval::ManifestRemoval(Parts parts)
    : parts_(std::move(parts)), children_(ChildrenOf(parts_)) {}

// Locks the same keys as a push and the garbage collector: the blobs that the manifest refers to,
// the manifest's bytes, the manifest, its children and its subject.
Result<std::optional<v1::ManifestRow>> ManifestRemoval::Lock(MetaTransaction& transaction) const {
  for (const Digest& child : children_) {
    TRY(const auto row, transaction.GetForUpdate(keys::Blob(child)));
  }
  TRY(const auto content, transaction.GetForUpdate(keys::Content(parts_.digest)));
  std::vector<Digest> manifests = children_;
  manifests.push_back(parts_.digest);
  if (parts_.subject.has_value()) manifests.push_back(*parts_.subject);
  std::optional<v1::ManifestRow> own;
  for (const Digest& manifest : SortedDigests(std::move(manifests))) {
    const std::string key = keys::ManifestOf(parts_.repository, manifest);
    TRY(const auto value, transaction.GetForUpdate(key));
    if (manifest != parts_.digest || !value.has_value()) continue;
    TRY(own, ParseRow<v1::ManifestRow>(key, *value));
  }
  return own;
}

Result<void> ManifestRemoval::RemoveTag(MetaTransaction& transaction, const std::string& run,
                                        const Tag& tag, v1::PullRow& last_pull) const {
  TRY(const auto row, LockRow<v1::TagRow>(transaction, keys::TagOf(parts_.repository, tag)));
  // Another push may have moved the tag before this transaction locked it. Keep such a tag.
  if (!row.has_value() || row->digest() != parts_.digest.ToString()) return {};
  const std::string why = parts_.run.empty() ? std::string() : "gc " + parts_.run;
  TRY(auto deletion,
      EraseTag(transaction, parts_.repository, tag, *row, parts_.collection, parts_.auditor, why));
  KeepNewer(last_pull, deletion.pull());
  return TrashTag(transaction, run, std::move(deletion), parts_.collection.now_ms());
}

// Condemns the link of a digest that has lost its last reference in the repository. Lock() has
// locked the blob.
Result<void> ManifestRemoval::CondemnUnreferenced(MetaTransaction& transaction, const Digest& blob,
                                                  const v1::PullRow& last_pull) const {
  const std::string key = keys::Link(parts_.repository, blob);
  TRY(auto link, ReadRow<v1::LinkRow>(transaction, key));
  if (!link.has_value() || link->condemned_ms() != 0) return {};
  TRY(const auto reference, Collection::FindReference(transaction, parts_.repository, blob));
  if (reference.has_value()) return {};
  TRY_VOID(parts_.collection.Condemn(transaction, parts_.repository, blob, *link));
  NotePull(*link, last_pull);
  return WriteRow(transaction, key, *link);
}

// Deletes the references to the children. Each child is looked at as a blob and as a manifest: its
// last reference may go with a manifest that names it as the other kind.
Result<void> ManifestRemoval::RemoveReferences(MetaTransaction& transaction,
                                               const v1::PullRow& last_pull) const {
  const RepositoryName& repository = parts_.repository;
  for (const Digest& child : children_) {
    TRY_VOID(transaction.Delete(keys::ReferenceOf(child, repository, parts_.digest)));
  }
  for (const Digest& child : children_) {
    TRY_VOID(CondemnUnreferenced(transaction, child, last_pull));
  }
  for (const Digest& child : children_) {
    TRY(const bool here, HasRow(transaction, keys::ManifestOf(repository, child)));
    if (here) TRY_VOID(parts_.collection.AddCandidate(transaction, repository, child));
  }
  return {};
}

Result<void> ManifestRemoval::RemoveReferrer(MetaTransaction& transaction,
                                             const v1::ManifestRow& row) const {
  TRY(const std::optional<Digest> subject, SubjectOf(row));
  if (!subject.has_value()) return {};
  TRY_VOID(transaction.Delete(keys::Referrer(parts_.repository, *subject, parts_.digest)));
  v1::Change change;
  change.mutable_referrer_deleted()->set_repository(parts_.repository.ToString());
  change.mutable_referrer_deleted()->set_subject(row.subject());
  change.mutable_referrer_deleted()->set_digest(parts_.digest.ToString());
  AppendChange(transaction, change);
  return {};
}

// The manifests whose subject is this manifest have lost it. If they are too many or too large for
// one transaction, the collector makes candidates of them.
Result<void> ManifestRemoval::AddReferrersAsCandidates(MetaTransaction& transaction) const {
  const std::string prefix = keys::ReferrersOf(parts_.repository, parts_.digest);
  TRY(const std::vector<KeyValue> rows, transaction.Scan({.prefix = prefix,
                                                          .after = {},
                                                          .limit = kMaxReferrers,
                                                          .limit_bytes = kReferrerScanBytes}));
  if (rows.empty()) return {};
  TRY(const std::vector<KeyValue> more,
      transaction.Scan({.prefix = prefix, .after = rows.back().key, .limit = 1}));
  if (!more.empty()) {
    v1::OrphanedRow row;
    row.set_since_ms(parts_.collection.now_ms());
    return WriteRow(transaction, keys::Orphaned(parts_.repository, parts_.digest), row);
  }
  for (const KeyValue& row : rows) {
    const Result<Digest> referrer = Digest::Parse(keys::After(row.key, prefix));
    if (!referrer.has_value()) {
      return Error{ErrorCode::kCorrupt,
                   "the key '" + Printable(row.key) + "' of the metadata is corrupt"};
    }
    TRY_VOID(parts_.collection.AddCandidate(transaction, parts_.repository, *referrer));
  }
  return {};
}

Result<void> ManifestRemoval::RemoveManifest(MetaTransaction& transaction, const std::string& run,
                                             const v1::ManifestRow& row,
                                             v1::PullRow last_pull) const {
  const int64_t now_ms = parts_.collection.now_ms();
  v1::TrashRow::Manifest trashed;
  trashed.set_repository(parts_.repository.ToString());
  trashed.set_digest(parts_.digest.ToString());
  *trashed.mutable_row() = row;
  trashed.mutable_row()->clear_lease_until_ms();
  TRY_VOID(transaction.Delete(keys::ManifestOf(parts_.repository, parts_.digest)));
  TRY(auto pull, TakePull(transaction, parts_.repository, parts_.digest.ToString()));
  if (pull.has_value()) *trashed.mutable_pull() = *std::move(pull);
  KeepNewer(last_pull, trashed.pull());
  TRY_VOID(Collection::DropCandidate(transaction, parts_.repository, parts_.digest));
  TRY_VOID(RemoveReferences(transaction, last_pull));
  TRY_VOID(RemoveReferrer(transaction, row));
  TRY_VOID(AddReferrersAsCandidates(transaction));
  if (!parts_.children_known) TRY_VOID(Collection::RequestScan(transaction));
  v1::Change change;
  change.mutable_manifest_deleted()->set_repository(trashed.repository());
  change.mutable_manifest_deleted()->set_digest(trashed.digest());
  AppendChange(transaction, change);
  parts_.auditor.Add(transaction, "manifest.delete", trashed.repository() + "@" + trashed.digest(),
                     RowJson(trashed.row()), nullptr);
  return TrashManifest(transaction, run, std::move(trashed), now_ms);
}

Result<void> ManifestRemoval::Run(MetaTransaction& transaction, bool& done) const {
  TRY(const std::optional<v1::ManifestRow> row, Lock(transaction));
  if (!row.has_value()) return UnknownManifest(parts_.repository, parts_.digest);
  const std::string prefix = keys::TagsOn(parts_.repository, parts_.digest);
  TRY(const std::vector<KeyValue> tagged,
      transaction.Scan({.prefix = prefix, .after = {}, .limit = kMaxTags + 1}));
  done = tagged.size() <= kMaxTags;
  TRY(const auto protection, TagProtection::Read(transaction, parts_.repository));
  std::vector<Tag> tags;
  for (size_t i = 0; i < std::min(tagged.size(), kMaxTags); ++i) {
    TRY(Tag tag, Tag::Parse(keys::After(tagged[i].key, prefix)));
    TRY_VOID(protection.RequireUnprotected(tag));
    // Lock all tags before RemoveTag() locks the row of the candidate, as a push does that moves
    // one of these tags to another manifest.
    TRY(const auto locked, transaction.GetForUpdate(keys::TagOf(parts_.repository, tag)));
    tags.push_back(std::move(tag));
  }
  std::string run = parts_.run;
  if (run.empty()) {
    TRY(run, RunOfClients(transaction, parts_.collection.now_ms()));
  }
  // The pulls by tags that an earlier transaction deleted are missing here. But a pull by a tag
  // also counts for the digest.
  v1::PullRow last_pull;
  for (const Tag& tag : tags) TRY_VOID(RemoveTag(transaction, run, tag, last_pull));
  if (!done) return {};
  return RemoveManifest(transaction, run, *row, std::move(last_pull));
}

}  // namespace outport::store
