#include "node/mirror_registry.h"

#include <utility>

namespace outport::node {

Result<void> MirrorRegistry::CheckWritable(const RepositoryName& repository) const {
  if (parts_.writes != nullptr) return {};
  return Error{ErrorCode::kUnsupported,
               "writing to " + repository.ToString() +
                   ": this node is read-only (registry.read_only); push to the store, " +
                   parts_.store_address};
}

net::awaitable<Result<StoredManifest>> MirrorRegistry::GetManifest(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Reference& reference) {
  CO_TRY(StoredManifest manifest, co_await parts_.manifests.Get(caller, repository, reference));
  parts_.pulls.Record(repository, reference, manifest.info.digest);
  co_return manifest;
}

net::awaitable<Result<ManifestInfo>> MirrorRegistry::StatManifest(const Caller& caller,
                                                                  const RepositoryName& repository,
                                                                  const Reference& reference) {
  if (MayPush(caller)) return parts_.manifests.Confirm(caller, repository, reference);
  return parts_.manifests.Stat(caller, repository, reference);
}

net::awaitable<Result<PushedManifest>> MirrorRegistry::PutManifest(
    const Caller& caller, const RepositoryName& repository, const Reference& reference,
    const std::string& content_type, const std::vector<Tag>& tags, std::string body) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->PutManifest(caller, repository, reference, content_type, tags,
                                                std::move(body));
}

net::awaitable<Result<Deleted>> MirrorRegistry::DeleteManifest(const Caller& caller,
                                                               const RepositoryName& repository,
                                                               const Reference& reference) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->DeleteManifest(caller, repository, reference);
}

net::awaitable<Result<ReferrersPage>> MirrorRegistry::ListReferrers(
    const Caller& caller, const RepositoryName& repository, const Digest& subject,
    const std::string& artifact_type, const PageRequest& page) {
  return parts_.catalog.ListReferrers(caller, repository, subject, artifact_type, page);
}

net::awaitable<Result<BlobInfo>> MirrorRegistry::StatBlob(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const Digest& digest) {
  if (MayPush(caller)) return parts_.blobs.Confirm(caller, repository, digest);
  return parts_.blobs.Stat(caller, repository, digest);
}

net::awaitable<Result<std::unique_ptr<BlobBody>>> MirrorRegistry::OpenBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  return parts_.blobs.Open(caller, repository, digest);
}

net::awaitable<Result<Deleted>> MirrorRegistry::DeleteBlob(const Caller& caller,
                                                           const RepositoryName& repository,
                                                           const Digest& digest) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->DeleteBlob(caller, repository, digest);
}

net::awaitable<Result<PushedBlob>> MirrorRegistry::MountBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest,
    const std::optional<RepositoryName>& from, const Visible&) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->MountBlob(caller, repository, digest, from);
}

net::awaitable<Result<UploadStatus>> MirrorRegistry::StartUpload(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 DigestAlgorithm algorithm) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->StartUpload(caller, repository, algorithm);
}

net::awaitable<Result<UploadStatus>> MirrorRegistry::StatUpload(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const std::string& id) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->StatUpload(caller, repository, id);
}

net::awaitable<Result<UploadStatus>> MirrorRegistry::AppendUpload(const Caller& caller,
                                                                  const RepositoryName& repository,
                                                                  const std::string& id,
                                                                  std::optional<ByteRange> range,
                                                                  ByteSource& body) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->AppendUpload(caller, repository, id, range, body);
}

net::awaitable<Result<PushedBlob>> MirrorRegistry::FinishUpload(
    const Caller& caller, const RepositoryName& repository, const std::string& id,
    std::optional<ByteRange> range, const Digest& digest, ByteSource& body) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->FinishUpload(caller, repository, id, range, digest, body);
}

net::awaitable<Result<void>> MirrorRegistry::CancelUpload(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const std::string& id) {
  CO_TRY_VOID(CheckWritable(repository));
  co_return co_await parts_.writes->CancelUpload(caller, repository, id);
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
