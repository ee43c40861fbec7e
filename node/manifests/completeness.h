#pragma once

#include <functional>
#include <string>

#include "node/manifests/manifest_contents.h"
#include "node/replica/replica_rows.h"
#include "registry/oci/manifest.h"

namespace outport::node {

// Whether what a manifest needs is here, so that a client who gets it while the store is away can
// finish its pull: an image's config and layers; of an index, one whole platform (attestations are
// none). Safe for several threads; blocks.
class Completeness {
 public:
  // `is_cached`: whether a whole copy of a blob is here; may block.
  Completeness(const ReplicaRows& rows, ManifestContents& contents,
               std::function<Result<bool>(const Digest&)> is_cached)
      : rows_(rows), contents_(contents), is_cached_(std::move(is_cached)) {}

  Result<bool> IsWhole(const RepositoryName& repository, const std::string& media_type,
                       const std::string& content) const;

 private:
  Result<bool> IsWhole(const RepositoryName& repository, const Manifest& manifest, int depth) const;
  Result<bool> IsWholePlatform(const RepositoryName& repository, const Descriptor& child,
                               int depth) const;

  const ReplicaRows& rows_;
  ManifestContents& contents_;
  const std::function<Result<bool>(const Digest&)> is_cached_;
};

}  // namespace outport::node
