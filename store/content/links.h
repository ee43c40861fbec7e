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
  explicit Links(const Blobs& blobs) : parts_(blobs.parts()) {}

  // Returns a repository that links the blob and is visible: `from`, or without `from` one of at
  // most some thousands of the repositories that link the blob. NothingToMount() if there is none.
  Result<RepositoryName> FindSource(const RepositoryName& repository, const Digest& digest,
                                    const std::optional<RepositoryName>& from,
                                    const Visible& visible) const;
  // Links the blob of `source` in the repository. NothingToMount() if `source` has lost it.
  Result<PushedBlob> Mount(const RepositoryName& repository, const Digest& digest,
                           const RepositoryName& source, const Actor& by);
  // The error of a mount for which there is no blob: the client must push it. It must not reveal
  // whether a repository that the caller may not pull from has the blob, so the text is always the
  // same.
  static Error NothingToMount(const Digest& digest);

  // Does what Registry::DeleteBlob says. If no other repository links the blob, the blob goes to
  // the trash.
  Result<Deleted> Remove(const RepositoryName& repository, const Digest& digest, const Actor& by);

 private:
  const Blobs::Parts& parts_;
};

}  // namespace outport::store
