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

  // Look up a manifest. kManifestUnknown; kNameUnknown if there is no such repository.
  Result<ManifestInfo> Stat(const RepositoryName& repository, const Reference& reference) const;
  Result<StoredManifest> Get(const RepositoryName& repository, const Reference& reference) const;

  // Stores the exact bytes, records the manifest's references, and sets `tags` and, if `reference`
  // is a tag, that tag. All in one transaction with the changes. Pushing an existing manifest again
  // adds no change. Durable.
  // kManifestInvalid, kManifestTooLarge, kDigestInvalid; kManifestBlobUnknown with the digests of
  // blobs, or of an index's children, that the repository does not have. A subject need not exist.
  Result<PushedManifest> Put(const RepositoryName& repository, const Reference& reference,
                             const std::string& content_type, const std::vector<Tag>& tags,
                             const std::string& body, const Actor& by);

  // Deletes a tag alone, if `reference` is a tag. If it is a digest, deletes the manifest, its
  // tags, and its entry among the referrers of its subject, in one transaction; thousands of tags
  // are deleted in transactions before. Its children stay, and so do indexes that refer to it.
  // kManifestUnknown, kNameUnknown. Durable.
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
