#pragma once

#include "node/blob_links.h"
#include "node/replica_rows.h"
#include "node/resolver.h"
#include "registry/base/blocking_pool.h"

namespace outport::node {

// The links of the replica, and the store's word where they have none.
class Links final : public BlobLinks {
 public:
  Links(const ReplicaRows& rows, Resolver& resolver, BlockingPool& pool)
      : rows_(rows), resolver_(resolver), pool_(pool) {}

  net::awaitable<Result<BlobInfo>> Require(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override;

 private:
  const ReplicaRows& rows_;
  Resolver& resolver_;
  BlockingPool& pool_;
};

}  // namespace outport::node
