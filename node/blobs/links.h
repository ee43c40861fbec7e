#pragma once

#include "node/blobs/blob_links.h"
#include "node/freshness/resolver.h"

namespace outport::node {

// BlobLinks from the node's replica, and, for links that it does not have, from the store.
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
