#pragma once

#include <functional>
#include <string>

#include "node/manifests/manifest_contents.h"
#include "node/replica/replica_rows.h"
#include "registry/oci/manifest.h"

namespace outport::node {

// Checks that a client can finish the pull of a manifest while the store is unreachable. An image
// is complete if its config and layers are in the cache. An index is complete if the image of one
// of its platforms is complete. An attestation does not count as a platform. Safe for several
// threads; blocks.
class Completeness {
 public:
  // `is_cached` returns whether the cache has a complete copy of a blob. It may block.
  Completeness(const ReplicaRows& rows, ManifestContents& contents,
               std::function<Result<bool>(const Digest&)> is_cached)
      : rows_(rows), contents_(contents), is_cached_(std::move(is_cached)) {}

  Result<bool> IsComplete(const RepositoryName& repository, const std::string& media_type,
                          const std::string& content) const;

 private:
  Result<bool> IsComplete(const RepositoryName& repository, const Manifest& manifest,
                          int depth) const;
  Result<bool> IsCompletePlatform(const RepositoryName& repository, const Descriptor& child,
                                  int depth) const;

  const ReplicaRows& rows_;
  ManifestContents& contents_;
  const std::function<Result<bool>(const Digest&)> is_cached_;
};

}  // namespace outport::node
