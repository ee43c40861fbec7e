#pragma once

#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Manifests and their tags. Safe for several threads; every method blocks.
class Manifests {
 public:
  Manifests(MetaStore& meta, const Clock& clock) : meta_(meta), clock_(clock) {}

  // kManifestUnknown; kNameUnknown where there is no such repository.
  Result<ManifestInfo> Stat(const RepositoryName& repository, const Reference& reference) const;
  Result<StoredManifest> Get(const RepositoryName& repository, const Reference& reference) const;

  // Stores the exact bytes, indexes what they refer to, and sets the tag, in one transaction with
  // the changes. Pushing again what is there adds no change. Durable.
  // kManifestInvalid, kManifestTooLarge, kDigestInvalid; kManifestBlobUnknown with the digests of
  // blobs, or of an index's children, that this repository does not have. A subject need not exist.
  Result<PushedManifest> Put(const RepositoryName& repository, const Reference& reference,
                             const std::string& content_type, const std::string& body);

 private:
  MetaStore& meta_;
  const Clock& clock_;
};

}  // namespace outport::store
