#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/records/intent_ledger.h"
#include "store/gc/parts.h"

namespace outport::store {

// Frees what runs removed when their trash window has ended: first the blobs and their objects,
// then links and tags. Manifests stay for the grace period in addition, because the blobs that they
// refer to also stay that long. When the trash of a run is empty, the run is FREED.
//
// One step deletes the rows of a batch of blobs, together with intents that name their objects.
// Only then does it remove the objects. So a process that ends in between leaves intents, and the
// next start removes the objects. An object that the disk does not remove is logged and left to the
// next start, too; it counts as freed. For one thread at a time; blocks.
class TrashPurge {
 public:
  static constexpr size_t kBlobs = 256;  // in one batch
  static constexpr size_t kManifests = 64;
  static constexpr size_t kOtherRows = 500;

  // `parts` outlives this object. While less than `free_at_once_below` bytes of the disk are free,
  // blobs of ended runs do not wait for the end of their trash window.
  TrashPurge(const CollectorParts& parts, uint64_t free_at_once_below);

  // Frees one batch. Returns the number of rows that it freed; 0: there is nothing to free.
  // `in_window` is false outside the hours of background work: then frees only where the disk is
  // short.
  Result<uint64_t> Step(bool in_window);

  // Returns the counts of the content that this object has freed.
  const v1::RunCounts& freed() const { return freed_; }

 private:
  struct Current {
    std::string run;
    std::vector<std::string_view> kinds;  // still to free; the last one first
    std::string after = {};               // the key of the last row that was read
    bool early = false;                   // only because the disk is short; stop when it is not
  };
  Result<bool> IsDiskShort() const;
  Result<std::optional<Current>> FindRun(bool in_window, bool short_of_space) const;
  Result<bool> HasTrash(const std::string& run, std::string_view kind) const;
  Result<uint64_t> FreeBatch();
  Result<void> FreeBlobs(const std::vector<KeyValue>& rows);
  Result<void> FreeManifests(const std::vector<KeyValue>& rows);
  Result<void> FreeRows(const std::vector<KeyValue>& rows, std::string_view kind);
  Result<void> RemoveObjects();
  Result<void> FinishRun(const std::string& run);
  Result<void> Commit(const std::string& run,
                      const std::function<Result<void>(MetaTransaction&, v1::RunCounts&)>& work);

  const CollectorParts& parts_;
  const uint64_t free_at_once_below_;
  const IntentLedger intents_;
  std::optional<Current> current_;
  // Objects whose rows are deleted and whose intents exist.
  std::vector<std::string> objects_;
  v1::RunCounts freed_;
};

}  // namespace outport::store
