#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
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
// the position, so the work continues after a restart. Removes no content.
//
// A corrupt row stays, and its referrers become no candidates, until the repository has the
// manifest again. So does a row with a referrer whose row is corrupt. The sweep logs such a row,
// once in the life of this object, and goes on with the next ones.
//
// For one thread at a time; blocks.
class OrphanSweep {
 public:
  static constexpr size_t kBatch = 256;      // referrers in one transaction
  static constexpr size_t kRows = 16;        // in one scan
  static constexpr size_t kScans = 64;       // in one step, if it finds only corrupt rows
  static constexpr size_t kMaxLogged = 100;  // corrupt rows

  // `parts` outlives this object.
  explicit OrphanSweep(const CollectorParts& parts) : parts_(parts) {}

  // Makes candidates of the next referrers in one transaction. If the repository has the manifest
  // again, its referrers are no candidates. Returns the number of referrers that it looked at, at
  // least 1; 0: no referrer waits.
  Result<uint64_t> Step();

  // Returns the number of corrupt rows, as of the last time when no referrer waited.
  uint64_t corrupt_rows() const { return corrupt_rows_; }

 private:
  // The next referrers of one removed manifest, read without locks.
  struct Page {
    std::string key;
    std::string value;
    ContentKey subject;
    std::optional<v1::OrphanedRow> row = {};  // nullopt: corrupt
    std::vector<Digest> referrers = {};       // in byte order; empty: there are no more
  };
  Result<std::optional<Page>> Read(const KeyValue& row);
  void LogSkipped(const KeyValue& row, const Error& why);
  Result<void> Make(MetaTransaction& transaction, const Page& page) const;
  Result<void> AddCandidate(MetaTransaction& transaction, const Page& page,
                            const Digest& referrer) const;

  const CollectorParts& parts_;
  std::string after_;          // where the next step begins; before it, all rows are corrupt
  uint64_t skipped_ = 0;       // rows before that
  uint64_t corrupt_rows_ = 0;  // as of the last end of the rows
  std::set<std::string> logged_;
};

}  // namespace outport::store
