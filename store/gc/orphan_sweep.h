#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/storage/meta_store.h"
#include "store/gc/content_key.h"
#include "store/gc/parts.h"

namespace outport::store {

// Makes candidates of the referrers of removed manifests, which rows orphaned/ name. The row has
// the position, so the work continues after a restart. Removes no content. For one thread at a
// time; blocks.
class OrphanSweep {
 public:
  static constexpr size_t kBatch = 256;  // referrers in one transaction

  // `parts` outlives this object.
  explicit OrphanSweep(const CollectorParts& parts) : parts_(parts) {}

  // Makes candidates of the next referrers in one transaction. If the repository has the manifest
  // again, its referrers are no candidates. Returns the number of referrers that it looked at, at
  // least 1; 0: no referrer waits.
  Result<uint64_t> Step();

 private:
  // The next referrers of one removed manifest, read without locks.
  struct Page {
    ContentKey subject;
    v1::OrphanedRow row;
    std::vector<Digest> referrers;  // in byte order; empty: there are no more
  };
  Result<void> Make(MetaTransaction& transaction, const Page& page) const;
  Result<void> AddCandidate(MetaTransaction& transaction, const Page& page,
                            const Digest& referrer) const;

  const CollectorParts& parts_;
};

}  // namespace outport::store
