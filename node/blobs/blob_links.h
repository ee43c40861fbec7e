#pragma once

#include <boost/asio/awaitable.hpp>

#include "registry/service/registry.h"

namespace outport::node {

// Tells which blobs a repository links. Callable from any strand.
class BlobLinks {
 public:
  virtual ~BlobLinks() = default;
  // If the repository links the blob, returns the blob and its size. Looks in the node's own rows
  // first, and then asks the store. kBlobUnknown or kNameUnknown only if the store has no such link
  // or repository. kUnavailable if the node could not ask the store.
  virtual net::awaitable<Result<BlobInfo>> Require(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   const Digest& digest) = 0;
  // As above, for a client that may push. The store confirms the link and renews its lease, unless
  // this node knows that at least half of the lease is left. kBlobUnknown if the store has no bytes
  // that a push could refer to. While the store is unreachable, a link in the node's own rows is
  // good enough: the push that follows fails with kUnavailable anyway.
  virtual net::awaitable<Result<BlobInfo>> Confirm(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   const Digest& digest) = 0;
};

}  // namespace outport::node
