#pragma once

#include <cstdint>

#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// kNameUnknown if the repository does not exist: for those who found nothing in it.
Result<void> RequireRepository(const MetaView& meta, const RepositoryName& repository);

// Makes the repository, with its change record, if it is not there: a push creates it.
Result<void> EnsureRepository(MetaTransaction& transaction, const RepositoryName& repository,
                              int64_t now_ms, const Auditor& auditor);

// Makes the blob visible in the repository, which is made if it is new; with its change record, if
// it was not; `action` is what the audit log calls that. REQUIRES: the caller holds blob/<digest>.
Result<void> WriteLink(MetaTransaction& transaction, const RepositoryName& repository,
                       const Digest& digest, uint64_t size_bytes, int64_t now_ms,
                       const Auditor& auditor, std::string_view action);

}  // namespace outport::store
