#include "node/blobs/links.h"

#include <utility>

#include "node/freshness/min_sequence.h"

namespace outport::node {

net::awaitable<Result<BlobInfo>> Links::Require(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const v1::ResolveRequest request = AskBlob(repository, digest);
  if (co_await RowsMayAnswer(replica_, caller)) {
    CO_TRY(const Recalled known, co_await resolver_.Recall(request));
    if (known.answer.found()) co_return BlobInfo{digest, known.answer.size_bytes()};
  }
  CO_TRY(const Resolved resolved, co_await resolver_.ResolveFor(caller, request));
  if (resolved.answer.found()) co_return BlobInfo{digest, resolved.answer.size_bytes()};
  if (!resolved.answer.repository_known()) {
    co_return Error{ErrorCode::kNameUnknown,
                    "repository " + repository.ToString() + " does not exist"};
  }
  co_return Error{ErrorCode::kBlobUnknown,
                  "repository " + repository.ToString() + " has no blob " + digest.ToString()};
}

}  // namespace outport::node
