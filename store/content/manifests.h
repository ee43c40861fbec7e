#pragma once

#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// Manifests and their tags. Safe for several threads; every method blocks.
class Manifests {
 public:
  Manifests(MetaStore& meta, const Clock& clock) : meta_(meta), clock_(clock) {}

  // kManifestUnknown; kNameUnknown where there is no such repository.
  Result<ManifestInfo> Stat(const RepositoryName& repository, const Reference& reference) const;
  Result<StoredManifest> Get(const RepositoryName& repository, const Reference& reference) const;

  // Stores the exact bytes, indexes what they refer to, and sets the tag of `reference`, if it is
  // one, and `tags`, in one transaction with the changes. Pushing again what is there adds no
  // change. Durable.
  // kManifestInvalid, kManifestTooLarge, kDigestInvalid; kManifestBlobUnknown with the digests of
  // blobs, or of an index's children, that this repository does not have. A subject need not exist.
  Result<PushedManifest> Put(const RepositoryName& repository, const Reference& reference,
                             const std::string& content_type, const std::vector<Tag>& tags,
                             const std::string& body, const Actor& by);

  // A tag: it alone goes. A digest: the manifest, every tag on it, and its place among the
  // referrers of its subject, in one transaction (unless it has thousands of tags: then those go
  // first). Its children stay, and so do indexes that refer to it. kManifestUnknown, kNameUnknown.
  // Durable.
  Result<Deleted> Delete(const RepositoryName& repository, const Reference& reference,
                         const Actor& by);

 private:
  Result<Deleted> DeleteTag(const RepositoryName& repository, const Tag& tag,
                            const Auditor& auditor);
  Result<Deleted> DeleteDigest(const RepositoryName& repository, const Digest& digest,
                               const Auditor& auditor);

  MetaStore& meta_;
  const Clock& clock_;
};

}  // namespace outport::store
