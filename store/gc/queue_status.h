#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"
#include "store/work/daily_window.h"

namespace outport::store {

// Returns for how long due work may wait at this time before it is overdue: until the window has
// been open for an hour since, but at most for 25 hours.
std::chrono::milliseconds OverdueAfter(const DailyWindow& window,
                                       std::chrono::system_clock::time_point wall);

// The state of the queue of condemned links.
struct QueueStatus {
  static constexpr uint64_t kMaxCount = 100'000;  // no number counts further

  uint64_t condemned = 0;
  uint64_t overdue = 0;       // of these, due for longer than OverdueAfter()
  int64_t oldest_due_ms = 0;  // 0: none is due
};
// Blocks for the time of a scan of at most kMaxCount rows.
Result<QueueStatus> ReadQueueStatus(const MetaView& meta, int64_t now_ms,
                                    std::chrono::milliseconds overdue_after);

// The blobs in the trash of all runs.
struct TrashStatus {
  // So many blobs of the trash are counted one by one, from the oldest run on. For the runs after
  // that, the counts in their rows say at most how much is in the trash. The run of an hour of
  // deletions by clients has no such counts yet, so up to this number of its blobs are counted.
  static constexpr size_t kMaxCounted = 10'000;

  uint64_t blobs = 0;
  uint64_t bytes = 0;
};
// Reads the rows of the runs, at most kMaxCounted rows of the trash, one more for each run, and
// kMaxCounted for each hour whose counts are open. Blocks.
Result<TrashStatus> ReadTrashStatus(MetaStore& meta);

// The rows of the trash that the purge should have freed for longer than OverdueAfter().
struct OverdueTrash {
  static constexpr uint64_t kMaxCount = 10'000;  // no number counts further

  uint64_t rows = 0;
  int64_t oldest_due_ms = 0;  // 0: there are none
};
// Reads the rows of the runs, and at most kMaxCount rows of the trash and two more for each run.
// Blocks.
Result<OverdueTrash> ReadOverdueTrash(MetaStore& meta, const CollectionTimes& times, int64_t now_ms,
                                      std::chrono::milliseconds overdue_after);

}  // namespace outport::store
