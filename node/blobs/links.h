#pragma once

#include "node/blobs/blob_links.h"
#include "node/freshness/resolver.h"

namespace outport::node {

// The links that the node knows, and the store's word where it knows none.
class Links final : public BlobLinks {
 public:
  Links(Replica& replica, Resolver& resolver) : replica_(replica), resolver_(resolver) {}

  net::awaitable<Result<BlobInfo>> Require(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override;

 private:
  Replica& replica_;
  Resolver& resolver_;
};

}  // namespace outport::node
