#pragma once

#include "node/manifests/completeness.h"
#include "node/manifests/manifest_contents.h"
#include "node/manifests/manifest_locator.h"

namespace outport::node {

// Serves manifests at a node. While the store is unreachable, it serves only manifests that a
// client can pull completely. It never waits for blobs. Callable from any strand.
class MirrorManifests {
 public:
  struct Parts {
    ManifestLocator& locator;
    ManifestContents& contents;
    const Completeness& completeness;
    BlockingPool& pool;
  };
  explicit MirrorManifests(Parts parts) : parts_(parts) {}

  net::awaitable<Result<StoredManifest>> Get(const Caller& caller, const RepositoryName& repository,
                                             const Reference& reference);
  net::awaitable<Result<ManifestInfo>> Stat(const Caller& caller, const RepositoryName& repository,
                                            const Reference& reference);
  // As above, for a client that may push: see ManifestLocator::Confirm().
  net::awaitable<Result<ManifestInfo>> Confirm(const Caller& caller,
                                               const RepositoryName& repository,
                                               const Reference& reference);

 private:
  // Returns the answer to a HEAD.
  net::awaitable<Result<ManifestInfo>> ToInfo(const Caller& caller,
                                              const RepositoryName& repository,
                                              LocatedManifest located);
  net::awaitable<Result<StoredManifest>> Load(const Caller& caller,
                                              const RepositoryName& repository,
                                              const LocatedManifest& located);

  const Parts parts_;
};

}  // namespace outport::node
