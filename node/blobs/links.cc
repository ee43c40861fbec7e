#include "node/blobs/links.h"

#include <utility>

#include "node/freshness/read_your_writes.h"

namespace outport::node {

net::awaitable<Result<BlobInfo>> Links::Require(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const ResolveQuestion question = AskBlob(repository, digest);
  if (co_await WaitForCallersChange(replica_, caller)) {
    CO_TRY(const LocalAnswer known, co_await resolver_.FindLocal(question));
    if (known.answer.found()) co_return BlobInfo{digest, known.answer.content->size_bytes};
  }
  CO_TRY(const StoreAnswer resolved, co_await resolver_.ResolveFor(caller, question));
  const ResolveAnswer& answer = resolved.answer;
  if (answer.found()) co_return BlobInfo{digest, answer.content->size_bytes};
  if (!answer.repository_known) {
    co_return Error{ErrorCode::kNameUnknown,
                    "repository " + repository.ToString() + " does not exist"};
  }
  co_return Error{ErrorCode::kBlobUnknown,
                  "repository " + repository.ToString() + " has no blob " + digest.ToString()};
}

}  // namespace outport::node
