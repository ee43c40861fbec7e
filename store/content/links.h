#pragma once

#include <optional>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/blobs.h"

namespace outport::store {

// Which repositories see a blob that is here: mounts and deletions. Everything that does either
// locks blob/<digest> first, as pushes of manifests do. Safe for several threads; every method
// blocks.
class Links {
 public:
  Links(MetaStore& meta, Blobs& blobs, const Clock& clock)
      : meta_(meta), blobs_(blobs), clock_(clock) {}

  // As Registry::MountBlob. Without `from`, not more than some thousands of repositories are asked.
  Result<PushedBlob> Mount(const RepositoryName& repository, const Digest& digest,
                           const std::optional<RepositoryName>& from, const Visible& visible,
                           const Actor& by);

  // As Registry::DeleteBlob. The bytes stay: others may have them, or mount them yet.
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
