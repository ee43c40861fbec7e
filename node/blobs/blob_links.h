#pragma once

#include <boost/asio/awaitable.hpp>

#include "registry/service/registry.h"

namespace outport::node {

// Tells which blobs a repository links. Callable from any strand.
class BlobLinks {
 public:
  virtual ~BlobLinks() = default;
  // If the repository links the blob, returns the blob and its size. Looks in the node's own rows
  // first. If they lack the link, or are older than the store's policy allows, asks the store;
  // while the store is unreachable, or the node has too many open questions, the own rows are good
  // enough. kBlobUnknown or kNameUnknown only if the store has no such link or repository.
  // kUnavailable or kTooManyRequests if the node could not ask the store.
  virtual net::awaitable<Result<BlobInfo>> Require(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   const Digest& digest) = 0;
  // As above, for a client that may push. The store confirms the link and renews its lease, unless
  // this node knows that at least half of the lease is left. kBlobUnknown if the store has no bytes
  // that a push could refer to. While the node is not connected to the store, a link in the node's
  // own rows is good enough: the push that follows fails with kUnavailable anyway. If the node is
  // connected, and the store does not answer, fails with kUnavailable: the store may be collecting
  // the blob. For the same reason fails with kTooManyRequests if the node has too many open
  // questions, or too many of the caller's user.
  virtual net::awaitable<Result<BlobInfo>> Confirm(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   const Digest& digest) = 0;
};

}  // namespace outport::node
