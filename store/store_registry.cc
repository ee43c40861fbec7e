#include "store/store_registry.h"

#include <utility>

#include "store/stored_blob_body.h"

namespace outport::store {
namespace {

Log LogOf(const Log& log, const Caller& caller, const RepositoryName& repository) {
  return log.With({{"request_id", caller.request_id},
                   {"user", caller.user},
                   {"certificate", caller.certificate},
                   {"repository", repository.ToString()}});
}

Error NotYet(const std::string& what) {
  return Error{ErrorCode::kUnsupported, what + " is not supported"};
}

}  // namespace

StoreRegistry::StoreRegistry(Parts parts)
    : parts_(std::move(parts)),
      blobs_pushed_(parts_.metrics.Counter("outport_store_blobs_pushed_total",
                                           "Blobs committed or linked by clients.")),
      manifests_pushed_(parts_.metrics.Counter("outport_store_manifests_pushed_total",
                                               "Manifests put by clients.")),
      corrupt_(parts_.metrics.Counter("outport_store_corrupt_blobs_total",
                                      "Reads of blobs that failed their checksum.")) {}

net::awaitable<Result<StoredManifest>> StoreRegistry::GetManifest(const Caller&,
                                                                  const RepositoryName& repository,
                                                                  const Reference& reference) {
  auto get = [this, &repository, &reference] {
    return parts_.content.manifests.Get(repository, reference);
  };
  co_return co_await Blocking(parts_.disk, std::move(get));
}

net::awaitable<Result<ManifestInfo>> StoreRegistry::StatManifest(const Caller&,
                                                                 const RepositoryName& repository,
                                                                 const Reference& reference) {
  auto stat = [this, &repository, &reference] {
    return parts_.content.manifests.Stat(repository, reference);
  };
  co_return co_await Blocking(parts_.disk, std::move(stat));
}

net::awaitable<Result<PushedManifest>> StoreRegistry::PutManifest(
    const Caller& caller, const RepositoryName& repository, const Reference& reference,
    const std::string& content_type, const std::vector<Tag>& tags, std::string body) {
  if (!tags.empty()) co_return NotYet("setting several tags at once");
  auto put = [this, &repository, &reference, &content_type, &body]() -> Result<PushedManifest> {
    TRY_VOID(parts_.content.blobs.RequireSpace(body.size()));
    return parts_.content.manifests.Put(repository, reference, content_type, body);
  };
  Result<PushedManifest> pushed = co_await Blocking(parts_.disk, std::move(put));
  if (pushed.has_value()) {
    manifests_pushed_.Increment();
    LogOf(parts_.log, caller, repository)
        .Info("manifest pushed", {{"reference", ToString(reference)},
                                  {"digest", pushed->digest.ToString()},
                                  {"sequence", pushed->sequence}});
  }
  co_return pushed;
}

net::awaitable<Result<Deleted>> StoreRegistry::DeleteManifest(const Caller&, const RepositoryName&,
                                                              const Reference&) {
  co_return NotYet("deleting manifests");
}

net::awaitable<Result<ReferrersPage>> StoreRegistry::ListReferrers(
    const Caller&, const RepositoryName&, const Digest&, const std::string&, const PageRequest&) {
  co_return NotYet("listing referrers");
}

net::awaitable<Result<BlobInfo>> StoreRegistry::StatBlob(const Caller&,
                                                         const RepositoryName& repository,
                                                         const Digest& digest) {
  auto stat = [this, &repository, &digest] {
    return parts_.content.blobs.Stat(repository, digest);
  };
  co_return co_await Blocking(parts_.disk, std::move(stat));
}

net::awaitable<Result<std::unique_ptr<BlobBody>>> StoreRegistry::OpenBlob(
    const Caller&, const RepositoryName& repository, const Digest& digest) {
  auto open = [this, &repository, &digest] {
    return parts_.content.blobs.Open(repository, digest);
  };
  CO_TRY(Blobs::Opened opened, co_await Blocking(parts_.disk, std::move(open)));
  const StoredBlobBody::Parts parts{parts_.content.blobs, parts_.disk, corrupt_};
  std::unique_ptr<BlobBody> body = std::make_unique<StoredBlobBody>(parts, std::move(opened));
  co_return body;
}

net::awaitable<Result<Deleted>> StoreRegistry::DeleteBlob(const Caller&, const RepositoryName&,
                                                          const Digest&) {
  co_return NotYet("deleting blobs");
}

net::awaitable<Result<PushedBlob>> StoreRegistry::MountBlob(const Caller&, const RepositoryName&,
                                                            const Digest& digest,
                                                            const std::optional<RepositoryName>&,
                                                            const Visible&) {
  co_return Error{ErrorCode::kBlobUnknown, "no repository to mount " + digest.ToString() + " from"};
}

net::awaitable<Result<UploadStatus>> StoreRegistry::StartUpload(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                DigestAlgorithm) {
  co_return co_await parts_.uploads.Start(caller.user, repository);
}

net::awaitable<Result<UploadStatus>> StoreRegistry::StatUpload(const Caller& caller,
                                                               const RepositoryName& repository,
                                                               const std::string& id) {
  co_return parts_.uploads.Stat(caller.user, repository, id);
}

net::awaitable<Result<UploadStatus>> StoreRegistry::AppendUpload(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 const std::string& id,
                                                                 std::optional<ByteRange> range,
                                                                 ByteSource& body) {
  co_return co_await parts_.uploads.Append(caller.user, repository, id, range, body);
}

net::awaitable<Result<PushedBlob>> StoreRegistry::FinishUpload(
    const Caller& caller, const RepositoryName& repository, const std::string& id,
    std::optional<ByteRange> range, const Digest& digest, ByteSource& body) {
  Result<PushedBlob> pushed =
      co_await parts_.uploads.Finish(caller.user, repository, id, range, digest, body);
  if (pushed.has_value()) {
    blobs_pushed_.Increment();
    LogOf(parts_.log, caller, repository)
        .Info("blob pushed", {{"digest", digest.ToString()},
                              {"size_bytes", pushed->info.size_bytes},
                              {"sequence", pushed->sequence}});
  }
  co_return pushed;
}

net::awaitable<Result<void>> StoreRegistry::CancelUpload(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const std::string& id) {
  co_return co_await parts_.uploads.Cancel(caller.user, repository, id);
}

net::awaitable<Result<Page>> StoreRegistry::ListTags(const Caller&,
                                                     const RepositoryName& repository,
                                                     const PageRequest& page) {
  auto list = [this, &repository, &page] { return parts_.content.catalog.Tags(repository, page); };
  co_return co_await Blocking(parts_.disk, std::move(list));
}

net::awaitable<Result<Page>> StoreRegistry::ListRepositories(const Caller&, const PageRequest& page,
                                                             const Visible& visible) {
  auto list = [this, &page, &visible] {
    return parts_.content.catalog.Repositories(page, visible);
  };
  co_return co_await Blocking(parts_.disk, std::move(list));
}

}  // namespace outport::store
