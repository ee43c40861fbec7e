#pragma once

#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// A manifest on its way out of a repository, with the tags on it, its references and its place
// among the referrers of its subject. Its children stay. Its bytes go with the last repository that
// has it. What it borrows lives until Run() returns.
class ManifestRemoval {
 public:
  struct Parts {
    const RepositoryName& repository;
    const Digest& digest;
    // What the manifest refers to, as far as its bytes tell.
    std::vector<Descriptor> blobs;
    std::vector<Descriptor> manifests;
    const Auditor& auditor;
  };
  explicit ManifestRemoval(Parts parts) : parts_(std::move(parts)) {}

  // kManifestUnknown. May run several times. Where there are more tags than one transaction should
  // hold, some of them go, and `done` is set to false: then it wants another transaction.
  Result<void> Run(MetaTransaction& transaction, bool& done) const;

 private:
  Result<v1::ManifestRow> Lock(MetaTransaction& transaction) const;
  Result<void> RemoveTag(MetaTransaction& transaction, const Tag& tag) const;
  Result<void> RemoveManifest(MetaTransaction& transaction, const v1::ManifestRow& row) const;
  Result<void> ReleaseContent(MetaTransaction& transaction) const;

  const Parts parts_;
};

// Takes the tag out of the repository, with the change; kManifestUnknown.
Result<void> RemoveTag(MetaTransaction& transaction, const RepositoryName& repository,
                       const Tag& tag, const Auditor& auditor);

Error UnknownManifest(const RepositoryName& repository, const Reference& reference);

}  // namespace outport::store
