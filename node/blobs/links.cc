#include "node/blobs/links.h"

#include <utility>

#include "node/freshness/read_your_writes.h"

namespace outport::node {
namespace {

Result<BlobInfo> ToBlob(const StoreAnswer& resolved, const RepositoryName& repository,
                        const Digest& digest) {
  const ResolveAnswer& answer = resolved.answer;
  if (answer.found()) return BlobInfo{digest, answer.content->size_bytes};
  if (!answer.repository_known) {
    return Error{ErrorCode::kNameUnknown,
                 "repository " + repository.ToString() + " does not exist"};
  }
  return Error{ErrorCode::kBlobUnknown,
               "repository " + repository.ToString() + " has no blob " + digest.ToString()};
}

}  // namespace

net::awaitable<Result<BlobInfo>> Links::Require(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const ResolveQuestion question = AskBlob(repository, digest);
  if (co_await WaitForCallersChange(replica_, caller)) {
    CO_TRY(const LocalAnswer known, co_await resolver_.FindLocal(question));
    if (known.answer.found()) co_return BlobInfo{digest, known.answer.content->size_bytes};
  }
  CO_TRY(const StoreAnswer resolved, co_await resolver_.ResolveFor(caller, question));
  co_return ToBlob(resolved, repository, digest);
}

net::awaitable<Result<BlobInfo>> Links::Confirm(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const ResolveQuestion question = AskBlob(repository, digest);
  const bool caught_up = co_await WaitForCallersChange(replica_, caller);
  if (caught_up && resolver_.HasLease(question)) {
    CO_TRY(const LocalAnswer known, co_await resolver_.FindLocal(question));
    if (known.answer.found() && known.trusted) {
      co_return BlobInfo{digest, known.answer.content->size_bytes};
    }
  }
  const Result<StoreAnswer> touched = co_await resolver_.Touch(caller, question);
  if (touched.has_value()) co_return ToBlob(*touched, repository, digest);
  if (touched.error().code != ErrorCode::kUnavailable || !caught_up) co_return touched.error();
  CO_TRY(const LocalAnswer known, co_await resolver_.FindLocal(question));
  if (known.answer.found()) co_return BlobInfo{digest, known.answer.content->size_bytes};
  co_return touched.error();
}

}  // namespace outport::node
