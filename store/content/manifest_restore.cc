#include "store/content/manifest_restore.h"

#include <algorithm>
#include <set>
#include <utility>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/blobs.h"
#include "store/content/manifest_push.h"
#include "store/content/manifest_removal.h"
#include "store/content/repositories.h"
#include "store/content/trash.h"

namespace outport::store {
namespace {

constexpr size_t kMaxItems = 50;  // digests that an error lists
constexpr size_t kMaxNamed = 3;   // digests that its message names

// "sha256:…, sha256:…, sha256:… and 2 others".
std::string NamesOf(const std::vector<std::string>& digests) {
  const size_t named = std::min(digests.size(), kMaxNamed);
  std::string names;
  for (size_t i = 0; i < named; ++i) names += (i == 0 ? "" : ", ") + digests[i];
  const size_t others = digests.size() - named;
  if (others == 0) return names;
  return names + " and " + std::to_string(others) + (others == 1 ? " other" : " others");
}

Error ContentIsGone(const ManifestRestore::Target& target, std::vector<std::string> missing) {
  std::ranges::sort(missing);  // two manifests can lack the same blob
  const auto [first, last] = std::ranges::unique(missing);
  missing.erase(first, last);
  const std::string names = NamesOf(missing);
  missing.resize(std::min(missing.size(), kMaxItems));
  return Error{ErrorCode::kFailedPrecondition,
               "cannot restore manifest " + target.digest.ToString() + " of " +
                   target.repository.ToString() +
                   ": content that it needs is gone, also from the trash: " + names +
                   "; push the image again",
               std::move(missing)};
}

Error TooMany(const Digest& digest) {
  return Error{ErrorCode::kFailedPrecondition,
               "cannot restore manifest " + digest.ToString() + ": more than " +
                   std::to_string(ManifestRestore::kMaxManifests) +
                   " manifests that it needs were removed; restore them with 'outportctl gc undo'",
               {digest.ToString()}};
}

// Links the manifest's blobs that the repository no longer links, as far as the store has their
// bytes. The push finds the others missing.
Result<void> ReviveBlobs(MetaTransaction& transaction, const RepositoryName& repository,
                         const Manifest& manifest, const Collection& collection,
                         const Auditor& auditor) {
  for (const Digest& digest : SortedDigests(manifest.blobs)) {
    TRY(const auto locked, LockRow<v1::BlobRow>(transaction, keys::Blob(digest)));
    TRY(const bool linked, HasRow(transaction, keys::Link(repository, digest)));
    if (linked || !locked.has_value()) continue;
    TRY(const bool there, UntrashBlob(transaction, digest));
    if (!there) continue;
    TRY_VOID(WriteLink(transaction, repository, digest, locked->size_bytes(), collection, auditor,
                       "blob.restore"));
  }
  return {};
}

}  // namespace

// Reads a manifest that the repository has, or has in its trash. nullopt if it has neither, or if
// the bytes are corrupt.
Result<std::optional<ManifestRestore::Stored>> ManifestRestore::Load(
    const RepositoryName& repository, const Digest& digest) const {
  std::optional<Stored> none;
  TRY(auto row, ReadRow<v1::ManifestRow>(parts_.meta, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) {
    TRY(const auto trashed,
        ReadRow<v1::TrashedRow>(parts_.meta, keys::Trashed(repository, digest)));
    if (!trashed.has_value()) return none;
    const std::string key = keys::Trash(trashed->run(), trash_kind::kManifest,
                                        repository.ToString(), digest.ToString());
    TRY(const auto trash, ReadRow<v1::TrashRow>(parts_.meta, key));
    if (!trash.has_value()) return none;
    row = trash->manifest().row();
  }
  TRY(std::optional<std::string> body, parts_.meta.Get(keys::Content(digest)));
  if (!body.has_value() || Digest::Of(digest.algorithm(), AsBytes(*body)) != digest) return none;
  TRY(Manifest manifest, Manifest::ParseStored(*body, row->media_type()));
  return Stored{std::move(manifest), *std::move(body)};
}

Result<void> ManifestRestore::FindMissingBlobs(const Manifest& manifest, Plan& plan) const {
  for (const Digest& digest : SortedDigests(manifest.blobs)) {
    TRY(const auto row, ReadRow<v1::BlobRow>(parts_.meta, keys::Blob(digest)));
    if (!row.has_value() || row->object().empty()) plan.missing.push_back(digest.ToString());
  }
  return {};
}

// Walks from the manifest to those of its descendants that the repository no longer has, depth
// first. A digest cannot be among its own descendants, so the walk ends.
Result<ManifestRestore::Plan> ManifestRestore::MakePlan(const RepositoryName& repository,
                                                        const Digest& digest) const {
  constexpr size_t kMaxOpen = 4 * kMaxManifests;  // an open manifest may be open several times
  struct Visit {
    Digest digest;
    bool children_done = false;
  };
  Plan plan;
  std::set<std::string> seen;
  std::vector<Visit> open = {{digest}};
  while (!open.empty()) {
    const Visit visit = open.back();
    open.pop_back();
    if (visit.children_done) {
      plan.order.push_back(visit.digest);
      continue;
    }
    if (!seen.insert(visit.digest.ToString()).second) continue;
    TRY(const auto stored, Load(repository, visit.digest));
    plan.read = seen.size();
    if (!stored.has_value()) {
      plan.missing.push_back(visit.digest.ToString());
      continue;
    }
    TRY_VOID(FindMissingBlobs(stored->manifest, plan));
    open.push_back({visit.digest, true});
    for (const Digest& child : SortedDigests(stored->manifest.manifests)) {
      TRY(const bool visible, HasRow(parts_.meta, keys::ManifestOf(repository, child)));
      if (!visible) open.push_back({child});
    }
    plan.too_large = seen.size() > kMaxManifests || open.size() > kMaxOpen;
    if (plan.too_large) return plan;
  }
  return plan;
}

Result<LogPosition> ManifestRestore::Put(const Target& target, const Digest& digest,
                                         const Auditor& auditor) const {
  TRY(const auto stored, Load(target.repository, digest));
  if (!stored.has_value()) return ContentIsGone(target, {digest.ToString()});
  const bool last = digest == target.digest;
  const std::vector<Tag> tags = last ? target.tags : std::vector<Tag>();
  const Collection collection(parts_.times, parts_.store_clock.NowMs());
  const ManifestPush push({.repository = target.repository,
                           .manifest = stored->manifest,
                           .digest = digest,
                           .tags = tags,
                           .body = stored->body,
                           .why = target.why,
                           .collection = collection,
                           .auditor = auditor});
  auto run = [&](MetaTransaction& transaction) -> Result<void> {
    TRY_VOID(ReviveBlobs(transaction, target.repository, stored->manifest, collection, auditor));
    if (last && target.also) TRY_VOID(target.also(transaction, auditor));
    if (target.each) TRY_VOID(target.each(transaction));
    return push.Run(transaction);
  };
  Result<LogPosition> position = Transact(parts_.meta, run);
  if (position.has_value() && target.committed) target.committed();
  const bool gone =
      !position.has_value() && position.error().code == ErrorCode::kManifestBlobUnknown;
  return gone ? ContentIsGone(target, position.error().items) : position;
}

Result<LogPosition> ManifestRestore::Run(const Target& target, const Actor& by) const {
  TRY(Plan plan, MakePlan(target.repository, target.digest));
  if (plan.too_large) return TooMany(target.digest);
  if (plan.missing == std::vector{target.digest.ToString()}) {
    return UnknownManifest(target.repository, target.digest);
  }
  if (!plan.missing.empty()) return ContentIsGone(target, std::move(plan.missing));
  const Auditor auditor(by, parts_.clock);
  LogPosition position;
  for (const Digest& digest : plan.order) {
    TRY(position, Put(target, digest, auditor));
  }
  return position;
}

Result<bool> ManifestRestore::CanRun(const RepositoryName& repository, const Digest& digest,
                                     size_t& read) const {
  const Result<Plan> plan = MakePlan(repository, digest);
  // Bytes that are no manifest cannot be put again.
  if (!plan.has_value() && plan.error().code == ErrorCode::kManifestInvalid) return false;
  TRY_VOID(plan);
  read += plan->read;
  return !plan->too_large && plan->missing.empty();
}

}  // namespace outport::store
