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
  Links(MetaStore& meta, Blobs& blobs, const Clock& clock)
      : meta_(meta), blobs_(blobs), clock_(clock) {}

  // Does what Registry::MountBlob says. Without `from`, looks for the blob in at most some
  // thousands of the repositories that link it.
  Result<PushedBlob> Mount(const RepositoryName& repository, const Digest& digest,
                           const std::optional<RepositoryName>& from, const Visible& visible,
                           const Actor& by);

  // Does what Registry::DeleteBlob says. Keeps the blob's bytes, because other repositories may
  // link or mount the blob.
  Result<Deleted> Remove(const RepositoryName& repository, const Digest& digest, const Actor& by);

 private:
  Result<std::optional<RepositoryName>> FindSource(const RepositoryName& repository,
                                                   const Digest& digest,
                                                   const std::optional<RepositoryName>& from,
                                                   const Visible& visible) const;

  MetaStore& meta_;
  Blobs& blobs_;
  const Clock& clock_;
};

}  // namespace outport::store
