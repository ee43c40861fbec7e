#pragma once

#include <optional>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/blobs.h"

namespace outport::store {

// Mounts blobs into repositories, and removes them from repositories. Both operations lock
// blob/<digest> first, as the push of a manifest does. Safe for several threads. Every method
// blocks.
class Links {
 public:
  explicit Links(Blobs& blobs) : blobs_(blobs), parts_(blobs.parts()) {}

  // Does what Registry::MountBlob says. Without `from`, looks for the blob in at most some
  // thousands of the repositories that link it.
  Result<PushedBlob> Mount(const RepositoryName& repository, const Digest& digest,
                           const std::optional<RepositoryName>& from, const Visible& visible,
                           const Actor& by);

  // Does what Registry::DeleteBlob says. If no other repository links the blob, the blob goes to
  // the trash.
  Result<Deleted> Remove(const RepositoryName& repository, const Digest& digest, const Actor& by);

 private:
  Result<std::optional<RepositoryName>> FindSource(const RepositoryName& repository,
                                                   const Digest& digest,
                                                   const std::optional<RepositoryName>& from,
                                                   const Visible& visible) const;

  Blobs& blobs_;
  const Blobs::Parts& parts_;
};

}  // namespace outport::store
