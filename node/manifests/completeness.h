#pragma once

#include <functional>
#include <string>

#include "node/manifests/manifest_contents.h"
#include "node/replica/replica_rows.h"
#include "registry/oci/manifest.h"

namespace outport::node {

// Checks that a client can finish the pull of a manifest while the store is unreachable. An image
// is complete if its config and layers are in the cache. An index is complete if the image of one
// of its platforms is complete; a platform may be an index itself, nested up to 32 levels. An
// attestation does not count as a platform. A check reads at most 10,000 manifests; an index of
// more may count as incomplete. Safe for several threads; blocks.
class Completeness {
 public:
  // `is_cached` returns whether the cache has a complete copy of a blob. It may block.
  Completeness(const ReplicaRows& rows, ManifestContents& contents,
               std::function<Result<bool>(const Digest&)> is_cached)
      : rows_(rows), contents_(contents), is_cached_(std::move(is_cached)) {}

  Result<bool> IsComplete(const RepositoryName& repository, const std::string& media_type,
                          const std::string& content) const;

 private:
  struct Search;
  Result<bool> IsComplete(Search& search, const Manifest& manifest, int depth) const;
  Result<bool> IsCompletePlatform(Search& search, const Descriptor& child, int depth) const;

  const ReplicaRows& rows_;
  ManifestContents& contents_;
  const std::function<Result<bool>(const Digest&)> is_cached_;
};

}  // namespace outport::node
