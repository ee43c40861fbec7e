#include "node/links.h"

#include <utility>

namespace outport::node {

net::awaitable<Result<BlobInfo>> Links::Require(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) {
  const v1::ResolveRequest request = AskBlob(repository, digest);
  const std::optional<Resolved> kept = resolver_.FindKept(request);
  if (kept.has_value() && kept->answer.found()) {
    co_return BlobInfo{digest, kept->answer.size_bytes()};
  }
  if (!kept.has_value()) {
    auto find = [this, repository, digest] { return rows_.FindLink(repository, digest); };
    CO_TRY(const std::optional<v1::LinkRow> row, co_await Blocking(pool_, std::move(find)));
    if (row.has_value()) co_return BlobInfo{digest, row->size_bytes()};
  }
  CO_TRY(const Resolved resolved, co_await resolver_.Resolve(caller.request_id, request));
  if (resolved.answer.found()) co_return BlobInfo{digest, resolved.answer.size_bytes()};
  if (!resolved.answer.repository_known()) {
    co_return Error{ErrorCode::kNameUnknown,
                    "repository " + repository.ToString() + " does not exist"};
  }
  co_return Error{ErrorCode::kBlobUnknown,
                  "repository " + repository.ToString() + " has no blob " + digest.ToString()};
}

}  // namespace outport::node
