#pragma once

#include <cstdint>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"

namespace outport::store {

// Returns kNameUnknown if the repository does not exist. A caller that found nothing in a
// repository calls this to return the right error.
Result<void> RequireRepository(const MetaView& meta, const RepositoryName& repository);

// If the repository does not exist, creates it and appends the change. So a push creates its
// repository.
Result<void> EnsureRepository(MetaTransaction& transaction, const RepositoryName& repository,
                              int64_t now_ms, const Auditor& auditor);

// Links the blob in the repository and appends the change, unless the repository links the blob
// already. Renews the lease of the link. A new link is condemned, unless a manifest of the
// repository refers to the blob. Creates the repository if it does not exist. `action` is the
// action of the audit entry. REQUIRES: the caller has locked blob/<digest>.
Result<void> WriteLink(MetaTransaction& transaction, const RepositoryName& repository,
                       const Digest& digest, uint64_t size_bytes, const Collection& collection,
                       const Auditor& auditor, std::string_view action);

}  // namespace outport::store
