#include "node/manifests/mirror_manifests.h"

#include <utility>

namespace outport::node {

net::awaitable<Result<StoredManifest>> MirrorManifests::Load(const Caller& caller,
                                                             const RepositoryName& repository,
                                                             const LocatedManifest& located) {
  const Digest digest = located.info.digest;
  CO_TRY(const ManifestContents::Content content,
         co_await parts_.contents.Get(caller.request_id, repository, digest));
  if (located.store_unreachable) {
    auto check = [this, repository, media_type = located.info.media_type, content] {
      return parts_.completeness.IsComplete(repository, media_type, *content);
    };
    CO_TRY(const bool whole, co_await Blocking(parts_.pool, std::move(check)));
    if (!whole) {
      co_return Error{ErrorCode::kUnavailable,
                      "pulling " + repository.ToString() + "@" + digest.ToString() +
                          ": the store is unreachable, and this node does not hold every blob of "
                          "the manifest; try again later"};
    }
  }
  co_return StoredManifest{located.info, *content};
}

net::awaitable<Result<StoredManifest>> MirrorManifests::Get(const Caller& caller,
                                                            const RepositoryName& repository,
                                                            const Reference& reference) {
  CO_TRY(const LocatedManifest located,
         co_await parts_.locator.Locate(caller, repository, reference));
  co_return co_await Load(caller, repository, located);
}

net::awaitable<Result<ManifestInfo>> MirrorManifests::Stat(const Caller& caller,
                                                           const RepositoryName& repository,
                                                           const Reference& reference) {
  CO_TRY(LocatedManifest located, co_await parts_.locator.Locate(caller, repository, reference));
  co_return co_await ToInfo(caller, repository, std::move(located));
}

net::awaitable<Result<ManifestInfo>> MirrorManifests::Confirm(const Caller& caller,
                                                              const RepositoryName& repository,
                                                              const Reference& reference) {
  CO_TRY(LocatedManifest located, co_await parts_.locator.Confirm(caller, repository, reference));
  co_return co_await ToInfo(caller, repository, std::move(located));
}

net::awaitable<Result<ManifestInfo>> MirrorManifests::ToInfo(const Caller& caller,
                                                             const RepositoryName& repository,
                                                             LocatedManifest located) {
  // A HEAD must not succeed if the GET that follows would fail.
  if (located.store_unreachable) {
    CO_TRY(StoredManifest manifest, co_await Load(caller, repository, located));
    co_return std::move(manifest.info);
  }
  co_return std::move(located.info);
}

}  // namespace outport::node
