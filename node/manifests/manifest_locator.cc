#include "node/manifests/manifest_locator.h"

#include <utility>

#include "node/freshness/read_your_writes.h"
#include "registry/service/unknown.h"

namespace outport::node {
namespace {

Result<LocatedManifest> ToManifest(const ResolveAnswer& answer, const RepositoryName& repository,
                                   const Reference& reference) {
  if (answer.found()) {
    const ResolveAnswer::Content& found = *answer.content;
    return LocatedManifest{ManifestInfo{found.digest, found.media_type, found.size_bytes}};
  }
  if (!answer.repository_known) return UnknownRepository(repository);
  return UnknownManifest(repository, reference);
}

}  // namespace

ManifestLocator::ManifestLocator(Parts parts) : parts_(std::move(parts)) {}

net::awaitable<Result<LocatedManifest>> ManifestLocator::Locate(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const Reference& reference) {
  if (!co_await WaitForCallersChange(parts_.replica, caller)) {
    CO_TRY(const StoreAnswer resolved,
           co_await parts_.resolver.ResolveFor(caller, AskManifest(repository, reference)));
    co_return ToManifest(resolved.answer, repository, reference);
  }
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    co_return co_await LocateTag(caller, repository, *tag);
  }
  co_return co_await LocateDigest(caller, repository, std::get<Digest>(reference));
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::Confirm(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 const Reference& reference) {
  const bool caught_up = co_await WaitForCallersChange(parts_.replica, caller);
  if (caught_up) {
    CO_TRY(std::optional<LocatedManifest> leased, co_await FindLeased(repository, reference));
    if (leased.has_value()) co_return *std::move(leased);
  }
  const Result<StoreAnswer> touched =
      co_await parts_.resolver.Touch(caller, AskManifest(repository, reference));
  if (touched.has_value()) co_return ToManifest(touched->answer, repository, reference);
  const bool unreachable = DidNotAnswer(touched.error()) && !parts_.store_is_connected();
  if (!unreachable || !caught_up) co_return touched.error();
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    co_return co_await LocateTagWithoutStore(repository, *tag);
  }
  co_return co_await LocateDigestWithoutStore(repository, std::get<Digest>(reference),
                                              touched.error());
}

net::awaitable<Result<std::optional<LocatedManifest>>> ManifestLocator::FindLeased(
    const RepositoryName& repository, const Reference& reference) {
  std::optional<LocatedManifest> leased;
  CO_TRY(const Known known, co_await FindLocal(AskManifest(repository, reference)));
  if (!known.answer.found()) co_return leased;
  const auto kind =
      std::holds_alternative<Tag>(reference) ? RequestKind::kTag : RequestKind::kDigest;
  if (!parts_.rule.MayAnswer(kind, Local::kFound, known.age)) co_return leased;
  const Digest& digest = known.answer.content->digest;
  if (!parts_.resolver.HasLease(AskManifest(repository, digest))) co_return leased;
  CO_TRY(leased, ToManifest(known.answer, repository, reference));
  leased->store_unreachable = !parts_.store_is_connected();
  co_return leased;
}

net::awaitable<Result<ManifestLocator::Known>> ManifestLocator::FindLocal(
    ResolveQuestion question) {
  const auto rows_age = parts_.rule.ReplicaAge();  // before the rows, so that they are no older
  CO_TRY(LocalAnswer found, co_await parts_.resolver.FindLocal(std::move(question)));
  const auto age = found.Age(rows_age, parts_.clock.SinceBoot());
  co_return Known{
      .answer = std::move(found.answer), .age = age, .from_rows = !found.asked.has_value()};
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateTag(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Tag& tag) {
  const ResolveQuestion question = AskManifest(repository, tag);
  CO_TRY(const Known known, co_await FindLocal(question));
  if (parts_.rule.MayAnswer(RequestKind::kTag, known.local(), known.age)) {
    CO_TRY(LocatedManifest located, ToManifest(known.answer, repository, tag));
    located.store_unreachable = known.from_rows && !parts_.store_is_connected();
    co_return located;
  }
  const auto resolved = co_await parts_.resolver.Resolve(caller.request_id, question);
  if (resolved.has_value()) co_return ToManifest(resolved->answer, repository, tag);
  // With too many open questions, the node may still reach the store. Then a stale tag is no
  // answer.
  const Error& why = resolved.error();
  const bool unreachable =
      why.code == ErrorCode::kUnavailable || (DidNotAnswer(why) && !parts_.store_is_connected());
  if (!unreachable) co_return why;
  co_return co_await LocateTagWithoutStore(repository, tag);
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateTagWithoutStore(
    const RepositoryName& repository, const Tag& tag) {
  const std::string what = "resolving " + repository.ToString() + ":" + tag.ToString();
  // Look again, because another caller may have received a newer answer since.
  CO_TRY(const Known known, co_await FindLocal(AskManifest(repository, tag)));
  CO_TRY(const std::optional<Staleness> stale,
         parts_.rule.AnswerWithoutStore(RequestKind::kTag, known.local(), known.age, what));
  CO_TRY(LocatedManifest located, ToManifest(known.answer, repository, tag));
  located.info.stale = stale;
  located.store_unreachable = true;
  co_return located;
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateDigest(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  const ResolveQuestion question = AskManifest(repository, digest);
  CO_TRY(const Known known, co_await FindLocal(question));
  if (parts_.rule.MayAnswer(RequestKind::kDigest, known.local(), known.age)) {
    CO_TRY(LocatedManifest located, ToManifest(known.answer, repository, digest));
    located.store_unreachable = !parts_.store_is_connected();
    co_return located;
  }
  const auto resolved = co_await parts_.resolver.Resolve(caller.request_id, question);
  if (resolved.has_value()) co_return ToManifest(resolved->answer, repository, digest);
  if (!DidNotAnswer(resolved.error())) co_return resolved.error();
  co_return co_await LocateDigestWithoutStore(repository, digest, resolved.error());
}

net::awaitable<Result<LocatedManifest>> ManifestLocator::LocateDigestWithoutStore(
    const RepositoryName& repository, const Digest& digest, const Error& unanswered) {
  // Look again, as in LocateTagWithoutStore().
  CO_TRY(const Known known, co_await FindLocal(AskManifest(repository, digest)));
  if (!parts_.rule.MayAnswerWithoutStore(RequestKind::kDigest, known.local(), known.age)) {
    co_return unanswered;
  }
  CO_TRY(LocatedManifest located, ToManifest(known.answer, repository, digest));
  // If the node did not ask, it can still fetch what it lacks.
  located.store_unreachable =
      unanswered.code == ErrorCode::kUnavailable || !parts_.store_is_connected();
  co_return located;
}

}  // namespace outport::node
