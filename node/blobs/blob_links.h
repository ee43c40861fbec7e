#pragma once

#include <boost/asio/awaitable.hpp>

#include "registry/service/registry.h"

namespace outport::node {

// Tells which blobs a repository links. Callable from any strand.
class BlobLinks {
 public:
  virtual ~BlobLinks() = default;
  // Returns the blob and its size, if the repository links it: from the node's own rows, or else
  // from the store. kBlobUnknown and kNameUnknown are certain; kUnavailable if the node cannot
  // know.
  virtual net::awaitable<Result<BlobInfo>> Require(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   const Digest& digest) = 0;
};

}  // namespace outport::node
