#include "store/store_registry.h"

#include <optional>
#include <utility>
#include <variant>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "store/content/manifest_push.h"
#include "store/content/touch.h"
#include "store/stored_blob_body.h"

namespace outport::store {
namespace {

Log LogOf(const Log& log, const Caller& caller, const RepositoryName& repository) {
  return log.With({{"request_id", caller.request_id},
                   {"user", caller.user},
                   {"certificate", caller.certificate_name},
                   {"repository", repository.ToString()}});
}

Pusher PusherOf(const Caller& caller, const RepositoryName& repository) {
  return {.user = caller.user, .repository = repository.ToString()};
}

// The pool does not reject a write that has waited for its turn: the client would wait again.
BlockingPool::Admission AdmissionAfter(bool waited) {
  return waited ? BlockingPool::Admission::kInProgress : BlockingPool::Admission::kNew;
}

}  // namespace

StoreRegistry::StoreRegistry(Parts parts)
    : parts_(std::move(parts)),
      intact_blobs_(parts_.content.blobs, parts_.disk),
      blobs_pushed_(parts_.metrics.Counter("outport_store_blobs_pushed_total",
                                           "Blobs committed or linked by clients.")),
      manifests_pushed_(parts_.metrics.Counter("outport_store_manifests_pushed_total",
                                               "Manifests put by clients.")),
      deleted_(parts_.metrics.Counter("outport_store_deletions_total",
                                      "Tags, manifests and links of blobs deleted by clients.")) {}

// A client may know a newer change than the store, if the store was restored from a backup.
Result<void> StoreRegistry::RequireMinSequence(const Caller& caller) const {
  if (caller.min_sequence == 0) return {};
  TRY(const uint64_t head, parts_.content.catalog.Head());
  if (head >= caller.min_sequence) return {};
  return Error{
      ErrorCode::kUnavailable,
      "change " + std::to_string(caller.min_sequence) +
          " (Outport-Min-Sequence) is unknown: this store's log ends at change " +
          std::to_string(head) +
          "; either the store was restored from a backup, or the number comes from another store"};
}

net::awaitable<Result<StoredManifest>> StoreRegistry::GetManifest(const Caller& caller,
                                                                  const RepositoryName& repository,
                                                                  const Reference& reference) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto get = [this, &repository, &reference] {
    return parts_.content.manifests.Get(repository, reference);
  };
  CO_TRY(StoredManifest manifest, co_await Blocking(parts_.disk, caller.holder, std::move(get)));
  parts_.pulls.Record(repository, reference, manifest.info.digest);
  co_return manifest;
}

net::awaitable<Result<ManifestInfo>> StoreRegistry::StatManifest(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 const Reference& reference) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto stat = [&]() -> Result<ManifestInfo> {
    if (!caller.may_push) return parts_.content.manifests.Stat(repository, reference);
    TRY(Manifests::Touched touched, TouchManifest(parts_.content, repository, reference));
    return std::move(touched.info);
  };
  co_return co_await Blocking(parts_.disk, caller.holder, std::move(stat));
}

net::awaitable<Result<void>> StoreRegistry::AwaitChange(const Caller& caller,
                                                        size_t changes) const {
  if (parts_.change_rate == nullptr) co_return Result<void>();
  co_return co_await parts_.change_rate->AwaitChange(caller, changes);
}

Result<void> StoreRegistry::AdmitRepository(const Caller& caller,
                                            const RepositoryName& repository) const {
  if (parts_.change_rate == nullptr) return {};
  TRY(const bool exists, HasRow(parts_.content.blobs.parts().meta, keys::Repository(repository)));
  if (exists) return {};
  return parts_.change_rate->AdmitRepository(caller.holder, repository);
}

struct StoreRegistry::ReadyToPut {
  Manifests::Parsed parsed;
  std::optional<LargeWrites::Turn> turn;
};

net::awaitable<Result<StoreRegistry::ReadyToPut>> StoreRegistry::PrepareLarge(
    const Caller& caller, const Reference& reference, const std::string& content_type,
    const std::string& body) {
  auto parse = [&] { return Manifests::Parse(reference, content_type, body); };
  CO_TRY(Manifests::Parsed parsed, co_await Blocking(parts_.disk, caller.holder, std::move(parse)));
  ReadyToPut ready{.parsed = std::move(parsed), .turn = {}};
  if (IsLarge(ready.parsed.manifest)) {
    LargeWrites::Write write{
        .holder = caller.holder, .held_bytes = body.size(), .recheck = caller.recheck};
    CO_TRY(LargeWrites::Turn turn, co_await parts_.large_writes.AwaitTurn(std::move(write)));
    ready.turn.emplace(std::move(turn));
  }
  co_return ready;
}

net::awaitable<Result<PushedManifest>> StoreRegistry::PutManifest(
    const Caller& caller, const RepositoryName& repository, const Reference& reference,
    const std::string& content_type, const std::vector<Tag>& tags, std::string body) {
  CO_TRY_VOID(co_await AwaitChange(caller, 1 + tags.size()));
  // One piece of work on the pool is enough for nearly all manifests.
  std::optional<ReadyToPut> ready;
  if (MayBeLarge(body.size())) {
    CO_TRY(ReadyToPut prepared, co_await PrepareLarge(caller, reference, content_type, body));
    ready.emplace(std::move(prepared));
  }
  auto put = [&]() -> Result<PushedManifest> {
    TRY_VOID(AdmitRepository(caller, repository));
    TRY_VOID(parts_.content.blobs.RequireFreeSpace(body.size(), PusherOf(caller, repository)));
    Manifests& manifests = parts_.content.manifests;
    const Actor by = Actor::Of(caller);
    return ready.has_value() ? manifests.Put(repository, reference, ready->parsed, tags, body, by)
                             : manifests.Put(repository, reference, content_type, tags, body, by);
  };
  Result<PushedManifest> pushed = co_await Blocking(parts_.disk, caller.holder, std::move(put),
                                                    AdmissionAfter(ready.has_value()));
  if (pushed.has_value()) {
    manifests_pushed_.Increment();
    LogOf(parts_.log, caller, repository)
        .Info("manifest pushed", {{"reference", ToString(reference)},
                                  {"tags", tags.size()},
                                  {"digest", pushed->digest.ToString()},
                                  {"sequence", pushed->sequence}});
  }
  co_return pushed;
}

net::awaitable<Result<Deleted>> StoreRegistry::DeleteManifest(const Caller& caller,
                                                              const RepositoryName& repository,
                                                              const Reference& reference) {
  CO_TRY_VOID(co_await AwaitChange(caller));
  std::optional<LargeWrites::Turn> turn;
  if (const Digest* digest = std::get_if<Digest>(&reference)) {
    auto look = [&] { return parts_.content.manifests.HasLarge(repository, *digest); };
    CO_TRY(const bool is_large, co_await Blocking(parts_.disk, caller.holder, std::move(look)));
    if (is_large) {
      LargeWrites::Write write{.holder = caller.holder, .recheck = caller.recheck};
      CO_TRY(LargeWrites::Turn own, co_await parts_.large_writes.AwaitTurn(std::move(write)));
      turn.emplace(std::move(own));
    }
  }
  auto remove = [&] {
    return parts_.content.manifests.Delete(repository, reference, Actor::Of(caller));
  };
  Result<Deleted> deleted = co_await Blocking(parts_.disk, caller.holder, std::move(remove),
                                              AdmissionAfter(turn.has_value()));
  if (deleted.has_value()) {
    deleted_.Increment();
    LogOf(parts_.log, caller, repository)
        .Info("manifest deleted",
              {{"reference", ToString(reference)}, {"sequence", deleted->sequence}});
  }
  co_return deleted;
}

net::awaitable<Result<ReferrersPage>> StoreRegistry::ListReferrers(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Digest& subject,
                                                                   const std::string& artifact_type,
                                                                   const PageRequest& page) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto list = [&] {
    return parts_.content.referrers.List(repository, subject, artifact_type, page);
  };
  co_return co_await Blocking(parts_.disk, caller.holder, std::move(list));
}

net::awaitable<Result<BlobInfo>> StoreRegistry::StatBlob(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& digest) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto stat = [&]() -> Result<BlobInfo> {
    if (!caller.may_push) return parts_.content.blobs.Stat(repository, digest);
    TRY(Blobs::Touched touched, TouchBlob(parts_.content, repository, digest));
    return std::move(touched.info);
  };
  co_return co_await Blocking(parts_.disk, caller.holder, std::move(stat));
}

net::awaitable<Result<std::unique_ptr<BlobBody>>> StoreRegistry::OpenBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto open = [this, &repository, &digest] {
    return parts_.content.blobs.Open(repository, digest);
  };
  CO_TRY(Blobs::Opened opened, co_await Blocking(parts_.disk, caller.holder, std::move(open)));
  const StoredBlobBody::Parts parts{.blobs = parts_.content.blobs, .disk = parts_.disk};
  std::unique_ptr<BlobBody> body = std::make_unique<StoredBlobBody>(parts, std::move(opened));
  co_return body;
}

net::awaitable<Result<Deleted>> StoreRegistry::DeleteBlob(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const Digest& digest) {
  CO_TRY_VOID(co_await AwaitChange(caller));
  auto remove = [&] { return parts_.content.links.Remove(repository, digest, Actor::Of(caller)); };
  Result<Deleted> deleted = co_await Blocking(parts_.disk, caller.holder, std::move(remove));
  if (deleted.has_value()) {
    deleted_.Increment();
    LogOf(parts_.log, caller, repository)
        .Info("blob deleted", {{"digest", digest.ToString()}, {"sequence", deleted->sequence}});
  }
  co_return deleted;
}

net::awaitable<Result<PushedBlob>> StoreRegistry::MountBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest,
    const std::optional<RepositoryName>& from, const Visible& visible) {
  auto find = [&]() -> Result<RepositoryName> {
    TRY_VOID(parts_.content.blobs.RequireFreeSpace(0, PusherOf(caller, repository)));
    return parts_.content.links.FindSource(repository, digest, from, visible);
  };
  CO_TRY(const RepositoryName source,
         co_await Blocking(parts_.disk, caller.holder, std::move(find)));
  CO_TRY(const bool intact, co_await intact_blobs_.Check(caller.holder, source, digest));
  if (!intact) co_return Links::NothingToMount(digest);
  auto mount = [&]() -> Result<PushedBlob> {
    TRY_VOID(AdmitRepository(caller, repository));
    return parts_.content.links.Mount(repository, digest, source, Actor::Of(caller));
  };
  Result<PushedBlob> mounted = co_await Blocking(parts_.disk, caller.holder, std::move(mount));
  if (mounted.has_value()) {
    blobs_pushed_.Increment();
    LogOf(parts_.log, caller, repository)
        .Info("blob mounted", {{"digest", digest.ToString()},
                               {"from", from.has_value() ? from->ToString() : ""},
                               {"sequence", mounted->sequence}});
  }
  co_return mounted;
}

net::awaitable<Result<UploadStatus>> StoreRegistry::StartUpload(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                DigestAlgorithm algorithm) {
  auto admit = [&] { return AdmitRepository(caller, repository); };
  CO_TRY_VOID(co_await Blocking(parts_.disk, caller.holder, std::move(admit)));
  co_return co_await parts_.uploads.Start(Actor::Of(caller), repository, algorithm);
}

net::awaitable<Result<UploadStatus>> StoreRegistry::StatUpload(const Caller& caller,
                                                               const RepositoryName& repository,
                                                               const std::string& id) {
  co_return parts_.uploads.Stat(Actor::Of(caller), repository, id);
}

net::awaitable<Result<UploadStatus>> StoreRegistry::AppendUpload(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 const std::string& id,
                                                                 std::optional<ByteRange> range,
                                                                 ByteSource& body) {
  co_return co_await parts_.uploads.Append(Actor::Of(caller), repository, id, range, body);
}

net::awaitable<Result<PushedBlob>> StoreRegistry::FinishUpload(
    const Caller& caller, const RepositoryName& repository, const std::string& id,
    std::optional<ByteRange> range, const Digest& digest, ByteSource& body) {
  Result<PushedBlob> pushed =
      co_await parts_.uploads.Finish(Actor::Of(caller), repository, id, range, digest, body);
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
  co_return co_await parts_.uploads.Cancel(Actor::Of(caller), repository, id);
}

net::awaitable<Result<Page>> StoreRegistry::ListTags(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const PageRequest& page) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto list = [this, &repository, &page] { return parts_.content.catalog.Tags(repository, page); };
  co_return co_await Blocking(parts_.disk, caller.holder, std::move(list));
}

net::awaitable<Result<Page>> StoreRegistry::ListRepositories(const Caller& caller,
                                                             const PageRequest& page,
                                                             const Visible& visible) {
  CO_TRY_VOID(RequireMinSequence(caller));
  auto list = [this, &page, &visible] {
    return parts_.content.catalog.Repositories(page, visible);
  };
  co_return co_await Blocking(parts_.disk, caller.holder, std::move(list));
}

}  // namespace outport::store
