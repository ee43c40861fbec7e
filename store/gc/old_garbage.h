#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/gc/active_run.h"
#include "store/gc/parts.h"

namespace outport::store {

// The scan for garbage that no row marks as such: that of releases before 0.2, and the children of
// a corrupt manifest that was deleted (Collection::RequestScan()). It condemns links that nothing
// refers to, makes candidates of manifests without a tag or an index, and puts blobs without a link
// in the trash. The row `collector` has the scan's position, so the scan continues after a restart.
// For one thread at a time; blocks.
class OldGarbage {
 public:
  static constexpr size_t kRows = 1000;   // that one step reads at most
  static constexpr size_t kChanges = 64;  // rows that one step changes at most

  // `parts` outlives this object. `run` returns the run whose trash gets the blobs.
  using Run = std::function<Result<ActiveRun*>()>;
  OldGarbage(const CollectorParts& parts, Run run) : parts_(parts), run_(std::move(run)) {}

  // Scans the next rows. Returns their number; 0: the scan is complete.
  Result<uint64_t> Step();

 private:
  // The rows of one step that need a change.
  struct Page {
    std::vector<std::string> keys;
    uint64_t rows = 0;  // that the step has read
    std::string last;   // the key of the last row
  };
  Result<Page> Read(std::string_view prefix, const std::string& after) const;
  Result<bool> NeedsChange(const KeyValue& row, std::string_view prefix) const;
  Result<void> Change(MetaTransaction& transaction, std::string_view prefix,
                      const std::string& key) const;
  Result<void> CondemnLink(MetaTransaction& transaction, const std::string& key) const;
  Result<void> AddCandidate(MetaTransaction& transaction, const std::string& key) const;
  Result<void> RemoveBlobs(const Page& page);
  static Result<void> WritePosition(MetaTransaction& transaction, const std::string& after,
                                    const Page& page);

  const CollectorParts& parts_;
  const Run run_;
};

}  // namespace outport::store
