#pragma once

#include <boost/asio/awaitable.hpp>

#include "registry/service/registry.h"

namespace outport::node {

// Which blobs a repository holds, as far as this node knows or can ask. Callable from any strand.
class BlobLinks {
 public:
  virtual ~BlobLinks() = default;
  // The blob's size, if the repository links it: from the node's own rows, else from the store.
  // kBlobUnknown (or kNameUnknown) only where that is certain, kUnavailable where it is not known.
  virtual net::awaitable<Result<BlobInfo>> Require(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   const Digest& digest) = 0;
};

}  // namespace outport::node
