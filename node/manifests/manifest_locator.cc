#include "node/manifests/manifest_locator.h"

#include <utility>

#include "node/freshness/min_sequence.h"

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
  if (!co_await RowsMayAnswer(parts_.replica, caller)) {
    const v1::ResolveRequest request = AskReference(repository, reference);
    CO_TRY(const Resolved resolved, co_await parts_.resolver.ResolveFor(caller, request));
    co_return FromAnswer(resolved.answer, repository, reference);
  }
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    co_return co_await LocateTag(caller, repository, *tag);
  }
  co_return co_await LocateDigest(caller, repository, std::get<Digest>(reference));
}

net::awaitable<Result<ManifestLocator::Known>> ManifestLocator::Recall(v1::ResolveRequest request) {
  const auto rows_age = parts_.age.ReplicaAge();  // before they are read: they are no older
  CO_TRY(Recalled recalled, co_await parts_.resolver.Recall(std::move(request)));
  Known known{std::move(recalled.answer), std::nullopt, !recalled.asked.has_value()};
  if (recalled.asked.has_value()) {
    known.age = parts_.clock.SinceBoot() - *recalled.asked;
  } else if (recalled.trusted) {
    known.age = rows_age;
  }
  co_return known;
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateTag(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Tag& tag) {
  const v1::ResolveRequest request = AskReference(repository, tag);
  CO_TRY(const Known known, co_await Recall(request));
  if (known.answer.found() && known.age.has_value() && parts_.age.IsFresh(*known.age)) {
    CO_TRY(LocatedManifest located, FromAnswer(known.answer, repository, tag));
    located.store_away = known.of_rows && !parts_.store_is_connected();
    co_return located;
  }
  const auto resolved = co_await parts_.resolver.Resolve(caller.request_id, request);
  if (resolved.has_value()) co_return FromAnswer(resolved->answer, repository, tag);
  if (resolved.error().code != ErrorCode::kUnavailable) co_return resolved.error();
  co_return co_await LocateTagAlone(repository, tag);
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateTagAlone(
    const RepositoryName& repository, const Tag& tag) {
  const std::string what = "resolving " + repository.ToString() + ":" + tag.ToString();
  // Again: others may have been shown newer since.
  CO_TRY(const Known known, co_await Recall(AskReference(repository, tag)));
  if (!known.answer.found()) {
    co_return Error{ErrorCode::kUnavailable,
                    what +
                        ": this node does not know it, and the store cannot be asked now; try "
                        "again later"};
  }
  CO_TRY(LocatedManifest located, FromAnswer(known.answer, repository, tag));
  CO_TRY(located.info.stale, parts_.age.AdmitWithoutStore(known.age, what));
  located.store_away = true;
  co_return located;
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateDigest(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  const v1::ResolveRequest request = AskReference(repository, digest);
  CO_TRY(const Recalled known, co_await parts_.resolver.Recall(request));
  if (known.answer.found()) {
    CO_TRY(LocatedManifest located, FromAnswer(known.answer, repository, digest));
    located.store_away = !parts_.store_is_connected();
    co_return located;
  }
  CO_TRY(const Resolved resolved, co_await parts_.resolver.Resolve(caller.request_id, request));
  co_return FromAnswer(resolved.answer, repository, digest);
}

}  // namespace outport::node
