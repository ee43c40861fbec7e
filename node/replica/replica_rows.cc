#include "node/replica/replica_rows.h"

#include <utility>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/service/listing.h"

namespace outport::node {

Result<ReplicaRows::View> ReplicaRows::Open() const {
  std::unique_ptr<MetaView> meta = meta_.Snapshot();
  TRY(const auto stored, ReadRow<v1::ReplicaRow>(*meta, keys::kReplica));
  const v1::ReplicaRow row = stored.value_or(v1::ReplicaRow());
  ContentRows rows(*meta, keys::GenerationPrefix(row.generation()));
  return View{std::move(meta), PositionOf(row), std::move(rows)};
}

Result<ReplicaRows::Answer> ReplicaRows::Resolve(const ResolveQuestion& question) const {
  TRY(View view, Open());
  TRY(ResolveAnswer answer, view.rows.Resolve(question));
  return Answer{std::move(answer), std::move(view.position)};
}

Result<std::optional<v1::ManifestRow>> ReplicaRows::FindManifest(const RepositoryName& repository,
                                                                 const Digest& digest) const {
  TRY(const View view, Open());
  return view.rows.FindManifest(repository, digest);
}

Result<ReplicaRows::Tags> ReplicaRows::ListTags(const RepositoryName& repository,
                                                const std::string& after, size_t limit) const {
  TRY(View view, Open());
  Tags tags{.names = {}, .repository_known = false, .position = std::move(view.position)};
  TRY(tags.repository_known, view.rows.HasRepository(repository));
  TRY(tags.names, view.rows.ListTags(repository, after, limit));
  return tags;
}

Result<std::vector<std::string>> ReplicaRows::ListRepositories(const std::string& prefix,
                                                               const std::string& after,
                                                               size_t limit) const {
  TRY(const View view, Open());
  return view.rows.ListRepositories(prefix, after, limit);
}

Result<std::vector<ReferrerInfo>> ReplicaRows::ListReferrers(const RepositoryName& repository,
                                                             const Digest& subject,
                                                             const std::string& after) const {
  TRY(const View view, Open());
  return view.rows.ListReferrers(repository, subject, after, kMaxPage, kReferrerScanBytes);
}

}  // namespace outport::node
