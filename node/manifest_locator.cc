#include "node/manifest_locator.h"

#include <utility>

namespace outport::node {
namespace {

Result<LocatedManifest> FromAnswer(const v1::ResolveResponse& answer,
                                   const RepositoryName& repository, const Reference& reference) {
  if (answer.found()) {
    TRY(const Digest digest, Digest::Parse(answer.digest()));
    return LocatedManifest{ManifestInfo{digest, answer.media_type(), answer.size_bytes()}};
  }
  if (!answer.repository_known()) {
    return Error{ErrorCode::kNameUnknown,
                 "repository " + repository.ToString() + " does not exist"};
  }
  return Error{ErrorCode::kManifestUnknown,
               "repository " + repository.ToString() + " has no manifest " + ToString(reference)};
}

}  // namespace

ManifestLocator::ManifestLocator(Parts parts) : parts_(std::move(parts)) {}

net::awaitable<Result<LocatedManifest>> ManifestLocator::Locate(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const Reference& reference) {
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    co_return co_await LocateTag(caller, repository, *tag);
  }
  co_return co_await LocateDigest(caller, repository, std::get<Digest>(reference));
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateTag(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Tag& tag) {
  const v1::ResolveRequest request = AskReference(repository, tag);
  const std::optional<Resolved> kept = parts_.resolver.FindKept(request);
  if (kept.has_value()) {
    const auto age = parts_.clock.SinceBoot() - kept->asked;
    if (kept->answer.found() && parts_.age.IsFresh(age)) {
      co_return FromAnswer(kept->answer, repository, tag);
    }
  } else if (parts_.resolver.ReplicaIsTrusted() && parts_.age.IsReplicaFresh()) {
    CO_TRY(const MaybeInfo info, co_await FindTag(repository, tag));
    if (info.has_value()) co_return LocatedManifest{*info, !parts_.store_is_connected()};
  }
  const auto resolved = co_await parts_.resolver.Resolve(caller.request_id, request);
  if (resolved.has_value()) co_return FromAnswer(resolved->answer, repository, tag);
  if (resolved.error().code != ErrorCode::kUnavailable) co_return resolved.error();
  co_return co_await LocateTagAlone(repository, tag, kept);
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateTagAlone(
    const RepositoryName& repository, const Tag& tag, const std::optional<Resolved>& kept) {
  const std::string what = "resolving " + repository.ToString() + ":" + tag.ToString();
  MaybeInfo info;
  std::optional<std::chrono::nanoseconds> age = parts_.age.ReplicaAge();
  if (kept.has_value()) {
    age = parts_.clock.SinceBoot() - kept->asked;
    if (kept->answer.found()) {
      CO_TRY(const LocatedManifest located, FromAnswer(kept->answer, repository, tag));
      info = located.info;
    }
  } else if (parts_.resolver.ReplicaIsTrusted()) {
    CO_TRY(info, co_await FindTag(repository, tag));
  }
  if (!info.has_value()) {
    co_return Error{ErrorCode::kUnavailable,
                    what +
                        ": this node does not know it, and the store cannot be asked now; try "
                        "again later"};
  }
  CO_TRY(info->stale, parts_.age.AdmitWithoutStore(age, what));
  co_return LocatedManifest{*info, true};
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateDigest(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  const v1::ResolveRequest request = AskReference(repository, digest);
  const std::optional<Resolved> kept = parts_.resolver.FindKept(request);
  const bool away = !parts_.store_is_connected();
  if (!kept.has_value()) {
    CO_TRY(const MaybeInfo info, co_await FindDigest(repository, digest));
    if (info.has_value()) co_return LocatedManifest{*info, away};
  } else if (kept->answer.found()) {
    CO_TRY(const LocatedManifest located, FromAnswer(kept->answer, repository, digest));
    co_return LocatedManifest{located.info, away};
  }
  CO_TRY(const Resolved resolved, co_await parts_.resolver.Resolve(caller.request_id, request));
  co_return FromAnswer(resolved.answer, repository, digest);
}

net::awaitable<Result<ManifestLocator::MaybeInfo>> ManifestLocator::FindTag(
    const RepositoryName& repository, const Tag& tag) {
  auto find = [this, repository, tag] { return parts_.rows.FindTag(repository, tag); };
  CO_TRY(const auto row, co_await Blocking(parts_.pool, std::move(find)));
  if (!row.has_value()) co_return MaybeInfo();
  CO_TRY(const Digest digest, Digest::Parse(row->digest()));
  co_return ManifestInfo{digest, row->media_type(), row->size_bytes()};
}

net::awaitable<Result<ManifestLocator::MaybeInfo>> ManifestLocator::FindDigest(
    const RepositoryName& repository, const Digest& digest) {
  auto find = [this, repository, digest] { return parts_.rows.FindManifest(repository, digest); };
  CO_TRY(const auto row, co_await Blocking(parts_.pool, std::move(find)));
  if (!row.has_value()) co_return MaybeInfo();
  co_return ManifestInfo{digest, row->media_type(), row->size_bytes()};
}

}  // namespace outport::node
