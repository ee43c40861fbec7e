#pragma once

#include "node/blobs/blob_links.h"
#include "node/freshness/resolver.h"

namespace outport::node {

// Finds the links of blobs in the node's replica. For a link that the replica does not have, asks
// the store.
class Links final : public BlobLinks {
 public:
  Links(Replica& replica, Resolver& resolver) : replica_(replica), resolver_(resolver) {}

  net::awaitable<Result<BlobInfo>> Require(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override;
  net::awaitable<Result<BlobInfo>> Confirm(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override;

 private:
  Replica& replica_;
  Resolver& resolver_;
};

}  // namespace outport::node
