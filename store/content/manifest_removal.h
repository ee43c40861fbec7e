#pragma once

#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// The removal of one manifest from a repository, with its tags, its references, and its entry among
// the referrers of its subject. Its children stay. Its bytes are deleted with its last holder. The
// parts stay valid until Run() returns.
class ManifestRemoval {
 public:
  struct Parts {
    const RepositoryName& repository;
    const Digest& digest;
    // The children of the manifest; empty if its bytes are corrupt.
    std::vector<Descriptor> blobs;
    std::vector<Descriptor> manifests;
    const Auditor& auditor;
  };
  explicit ManifestRemoval(Parts parts) : parts_(std::move(parts)) {}

  // Removes the manifest. kManifestUnknown. May run several times. If there are more tags than one
  // transaction should delete, deletes some of them and sets `done` to false: run it again in
  // another transaction then.
  Result<void> Run(MetaTransaction& transaction, bool& done) const;

 private:
  Result<v1::ManifestRow> Lock(MetaTransaction& transaction) const;
  Result<void> RemoveTag(MetaTransaction& transaction, const Tag& tag) const;
  Result<void> RemoveManifest(MetaTransaction& transaction, const v1::ManifestRow& row) const;
  Result<void> ReleaseContent(MetaTransaction& transaction) const;

  const Parts parts_;
};

// Deletes a tag, with its change. kManifestUnknown if the repository has no such tag.
Result<void> RemoveTag(MetaTransaction& transaction, const RepositoryName& repository,
                       const Tag& tag, const Auditor& auditor);

Error UnknownManifest(const RepositoryName& repository, const Reference& reference);

}  // namespace outport::store
