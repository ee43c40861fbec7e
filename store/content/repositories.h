#pragma once

#include <cstdint>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// kNameUnknown if the repository does not exist. For callers that found nothing in it.
Result<void> RequireRepository(const MetaView& meta, const RepositoryName& repository);

// Creates the repository, with its change, if it does not exist: a push creates it.
Result<void> EnsureRepository(MetaTransaction& transaction, const RepositoryName& repository,
                              int64_t now_ms, const Auditor& auditor);

// Links the blob in the repository, with its change, unless it is linked already. Creates the
// repository if it is new. `action`: the name of the change in the audit log. REQUIRES: the caller
// has locked blob/<digest>.
Result<void> WriteLink(MetaTransaction& transaction, const RepositoryName& repository,
                       const Digest& digest, uint64_t size_bytes, int64_t now_ms,
                       const Auditor& auditor, std::string_view action);

}  // namespace outport::store
