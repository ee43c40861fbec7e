#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/records/intent_ledger.h"
#include "store/content/space_demand.h"
#include "store/gc/parts.h"
#include "store/gc/stuck_objects.h"

namespace outport::store {

// Frees what runs removed when their trash window has ended: first the blobs and their objects,
// then links. Manifests stay for the grace period in addition, because the blobs that they refer to
// also stay that long, and so do tags: a late undo that restores a manifest also restores its tags.
// When the trash of a run is empty, the run is FREED.
//
// One step deletes the rows of a batch of blobs, together with intents that name their objects.
// Only then does it remove the objects. So a process that ends in between leaves intents, and the
// next start removes the objects. An object that the disk does not remove is logged and tried again
// every minute; it counts as freed. While there are many such objects, and the disk removes
// nothing, only one batch in a minute is freed. The links wait for the blobs of their run.
//
// While the disk is short of space, blobs do not wait for the end of their trash window, also those
// that clients deleted in this hour: StepEarly() frees the oldest ones, and no more than the disk
// needs. Their links, tags and manifests stay in the trash until the window ends. The disk may show
// the bytes of removed objects as free only later, for example because a client still reads them.
// Until then, but for at most kSettle, StepEarly() counts them as free.
//
// For one thread at a time; blocks.
class TrashPurge {
 public:
  // In one batch. After a kill, the next start removes the objects of at most one batch, one by
  // one.
  static constexpr size_t kBlobs = 64;
  static constexpr size_t kManifests = 64;
  static constexpr size_t kOtherRows = 500;
  static constexpr std::chrono::seconds kSettle{10};

  // The disk is short of space while fewer bytes than `free_at_once_below` are free, or fewer than
  // the headroom and the demand of a push together, if the trash has enough for that push.
  struct Space {
    uint64_t free_at_once_below = 0;  // 0: the disk is never short
    uint64_t headroom_bytes = 0;
    SpaceDemand* demand = nullptr;
  };
  // `parts` and the demand outlive this object.
  TrashPurge(const CollectorParts& parts, const Space& space);

  // Frees one batch of the trash whose window has ended. Returns the number of rows that it freed;
  // 0: there is nothing to free.
  Result<uint64_t> Step();
  // Does the same with trash whose window has not ended, if the disk is short of space.
  Result<uint64_t> StepEarly();
  // Removes the objects of freed blobs that are still on the disk: those of the last batch, and,
  // once in a minute, those that the disk did not remove before. Needs no lease, because their rows
  // are deleted, and this process has their intents. Both steps begin with it.
  Result<void> RemoveObjects();
  // Returns whether the disk was short of space at the last StepEarly(). Does not block.
  bool IsDiskShort() const { return missing_bytes_ > 0; }
  // As StuckObjects::stuck(). Safe for several threads; does not block.
  uint64_t stuck_objects() const { return stuck_.stuck(); }

  // Returns the counts of the content that this object has freed.
  const v1::RunCounts& freed() const { return freed_; }

 private:
  struct Current {
    std::string run;
    std::vector<std::string_view> kinds;  // still to free; the last one first
    std::string after = {};               // the key of the last row that was read
    bool early = false;                   // only because the disk is short; stop when it is not
  };
  struct Shortage {
    uint64_t missing_bytes = 0;  // 0: the disk is not short of space
    Pusher by = {};              // whose push needs more than `free_at_once_below`, if one does
  };
  Result<Shortage> FindShortage();
  Result<void> Measure();
  Result<std::optional<Current>> FindEnded() const;
  Result<std::optional<Current>> FindEarly() const;
  Result<bool> HasTrash(const std::string& run, std::string_view kind) const;
  Result<uint64_t> FreeCurrent();
  Result<uint64_t> FreeBatch();
  Result<void> FreeBlobs(const std::vector<KeyValue>& rows);
  Result<void> FreeManifests(const std::vector<KeyValue>& rows);
  Result<void> FreeRows(const std::vector<KeyValue>& rows, std::string_view kind);
  Result<void> FinishRun(const std::string& run);
  Result<void> Commit(const std::string& run,
                      const std::function<Result<void>(MetaTransaction&, v1::RunCounts&)>& work);

  const CollectorParts& parts_;
  const Space space_;
  const IntentLedger intents_;
  StuckObjects stuck_;
  std::optional<Current> current_;
  uint64_t missing_bytes_ = 0;  // of the disk; 0: it is not short
  std::string logged_run_;      // whose trash was freed early, as last logged
  Pusher logged_by_;
  // Objects whose rows are deleted and whose intents exist, and their bytes.
  std::vector<std::string> objects_;
  uint64_t object_bytes_ = 0;
  // The bytes of removed objects that the disk does not show as free yet; the oldest first. There
  // is one for each batch of the last kSettle.
  struct Settling {
    uint64_t bytes = 0;
    int64_t until_ms = 0;
  };
  std::deque<Settling> settling_;
  uint64_t free_bytes_ = 0;  // as measured last
  v1::RunCounts freed_;
};

}  // namespace outport::store
