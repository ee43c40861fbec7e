#pragma once

#include <cstdint>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// The state of the queue of condemned links.
struct QueueStatus {
  static constexpr uint64_t kMaxCount = 100'000;  // no number counts further

  uint64_t condemned = 0;
  uint64_t overdue = 0;       // of these, due for longer than an hour
  int64_t oldest_due_ms = 0;  // 0: none is due
};
// Blocks for the time of a scan of at most kMaxCount rows.
Result<QueueStatus> ReadQueueStatus(const MetaView& meta, int64_t now_ms);

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

}  // namespace outport::store
