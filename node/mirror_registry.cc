#include "node/mirror_registry.h"

#include <utility>

namespace outport::node {

Error MirrorRegistry::RefuseWrite(const RepositoryName& repository) const {
  return Error{ErrorCode::kUnsupported,
               "pushing to " + repository.ToString() +
                   ": this is a node, which only serves pulls; push to the store, " +
                   parts_.store_address};
}

net::awaitable<Result<StoredManifest>> MirrorRegistry::GetManifest(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Reference& reference) {
  return parts_.manifests.Get(caller, repository, reference);
}

net::awaitable<Result<ManifestInfo>> MirrorRegistry::StatManifest(const Caller& caller,
                                                                  const RepositoryName& repository,
                                                                  const Reference& reference) {
  return parts_.manifests.Stat(caller, repository, reference);
}

net::awaitable<Result<PushedManifest>> MirrorRegistry::PutManifest(
    const Caller&, const RepositoryName& repository, const Reference&, const std::string&,
    const std::vector<Tag>&, std::string) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<Deleted>> MirrorRegistry::DeleteManifest(const Caller&,
                                                               const RepositoryName& repository,
                                                               const Reference&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<ReferrersPage>> MirrorRegistry::ListReferrers(
    const Caller& caller, const RepositoryName& repository, const Digest& subject,
    const std::string& artifact_type, const PageRequest& page) {
  return parts_.catalog.ListReferrers(caller, repository, subject, artifact_type, page);
}

net::awaitable<Result<BlobInfo>> MirrorRegistry::StatBlob(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const Digest& digest) {
  return parts_.blobs.Stat(caller, repository, digest);
}

net::awaitable<Result<std::unique_ptr<BlobBody>>> MirrorRegistry::OpenBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  return parts_.blobs.Open(caller, repository, digest);
}

net::awaitable<Result<Deleted>> MirrorRegistry::DeleteBlob(const Caller&,
                                                           const RepositoryName& repository,
                                                           const Digest&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<PushedBlob>> MirrorRegistry::MountBlob(const Caller&,
                                                             const RepositoryName& repository,
                                                             const Digest&,
                                                             const std::optional<RepositoryName>&,
                                                             const Visible&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<UploadStatus>> MirrorRegistry::StartUpload(const Caller&,
                                                                 const RepositoryName& repository,
                                                                 DigestAlgorithm) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<UploadStatus>> MirrorRegistry::StatUpload(const Caller&,
                                                                const RepositoryName& repository,
                                                                const std::string&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<UploadStatus>> MirrorRegistry::AppendUpload(const Caller&,
                                                                  const RepositoryName& repository,
                                                                  const std::string&,
                                                                  std::optional<ByteRange>,
                                                                  ByteSource&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<PushedBlob>> MirrorRegistry::FinishUpload(const Caller&,
                                                                const RepositoryName& repository,
                                                                const std::string&,
                                                                std::optional<ByteRange>,
                                                                const Digest&, ByteSource&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<void>> MirrorRegistry::CancelUpload(const Caller&,
                                                          const RepositoryName& repository,
                                                          const std::string&) {
  co_return RefuseWrite(repository);
}

net::awaitable<Result<Page>> MirrorRegistry::ListTags(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      const PageRequest& page) {
  return parts_.catalog.ListTags(caller, repository, page);
}

net::awaitable<Result<Page>> MirrorRegistry::ListRepositories(const Caller& caller,
                                                              const PageRequest& page,
                                                              const Visible& visible) {
  return parts_.catalog.ListRepositories(caller, page, visible);
}

}  // namespace outport::node
