#include "node/blobs/links.h"

#include <utility>

#include "node/freshness/read_your_writes.h"
#include "registry/service/unknown.h"

namespace outport::node {
namespace {

Result<BlobInfo> ToBlob(const ResolveAnswer& answer, const RepositoryName& repository,
                        const Digest& digest) {
  if (answer.found()) return BlobInfo{digest, answer.content->size_bytes};
  if (!answer.repository_known) return UnknownRepository(repository);
  return UnknownBlob(repository, digest);
}

}  // namespace

Links::Links(Parts parts) : parts_(std::move(parts)) {}

net::awaitable<Result<BlobInfo>> Links::Require(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const ResolveQuestion question = AskBlob(repository, digest);
  const bool caught_up = co_await WaitForCallersChange(parts_.replica, caller);
  if (caught_up) {
    CO_TRY(const Known known, co_await FindLocal(question));
    if (parts_.rule.MayAnswer(RequestKind::kBlob, LocalOf(known.answer), known.age)) {
      co_return ToBlob(known.answer, repository, digest);
    }
  }
  const Result<StoreAnswer> resolved = co_await parts_.resolver.ResolveFor(caller, question);
  if (resolved.has_value()) co_return ToBlob(resolved->answer, repository, digest);
  const Error& why = resolved.error();
  if (!DidNotAnswer(why) || !caught_up) co_return why;
  co_return co_await FindWithoutStore(repository, digest, why);
}

net::awaitable<Result<BlobInfo>> Links::Confirm(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const ResolveQuestion question = AskBlob(repository, digest);
  const bool caught_up = co_await WaitForCallersChange(parts_.replica, caller);
  if (caught_up && parts_.resolver.HasLease(question)) {
    CO_TRY(const Known known, co_await FindLocal(question));
    if (parts_.rule.MayAnswer(RequestKind::kBlob, LocalOf(known.answer), known.age)) {
      co_return ToBlob(known.answer, repository, digest);
    }
  }
  const Result<StoreAnswer> touched = co_await parts_.resolver.Touch(caller, question);
  if (touched.has_value()) co_return ToBlob(touched->answer, repository, digest);
  const Error& why = touched.error();
  const bool unreachable = DidNotAnswer(why) && !parts_.store_is_connected();
  if (!unreachable || !caught_up) co_return why;
  co_return co_await FindWithoutStore(repository, digest, why);
}

net::awaitable<Result<Links::Known>> Links::FindLocal(ResolveQuestion question) {
  const auto rows_age = parts_.rule.ReplicaAge();  // before the rows, so that they are no older
  CO_TRY(LocalAnswer found, co_await parts_.resolver.FindLocal(std::move(question)));
  const auto age = found.Age(rows_age, parts_.clock.SinceBoot());
  co_return Known{.answer = std::move(found.answer), .age = age};
}

net::awaitable<Result<BlobInfo>> Links::FindWithoutStore(const RepositoryName& repository,
                                                         const Digest& digest,
                                                         const Error& unanswered) {
  // Look again, because another caller may have received a newer answer since.
  CO_TRY(const Known known, co_await FindLocal(AskBlob(repository, digest)));
  if (!parts_.rule.MayAnswerWithoutStore(RequestKind::kBlob, LocalOf(known.answer), known.age)) {
    co_return unanswered;
  }
  co_return ToBlob(known.answer, repository, digest);
}

}  // namespace outport::node
