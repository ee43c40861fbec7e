#include "store/gc/queue_status.h"

#include <string>
#include <vector>

#include "registry/records/rows.h"
#include "store/gc/content_key.h"
#include "store/gc/runs.h"

namespace outport::store {
namespace {

constexpr int64_t kOverdueMs = 3'600'000;
constexpr size_t kRowsPerScan = 1000;

// Returns at most how much is still in the trash: pushes, restores of single tags, and undos of
// other runs take content out of the trash without a count in the run.
uint64_t Left(uint64_t removed, uint64_t freed, uint64_t restored) {
  return removed > freed + restored ? removed - freed - restored : 0;
}

}  // namespace

Result<QueueStatus> ReadQueueStatus(const MetaView& meta, int64_t now_ms) {
  QueueStatus status;
  ScanRange range{.prefix = std::string(keys::kCondemned), .limit = kRowsPerScan};
  while (status.condemned < QueueStatus::kMaxCount) {
    TRY(const std::vector<KeyValue> rows, meta.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const QueuedLink link, ParseQueuedLink(row.key));
      if (status.condemned == 0 && link.due_ms <= now_ms) status.oldest_due_ms = link.due_ms;
      if (link.due_ms + kOverdueMs < now_ms) ++status.overdue;
      ++status.condemned;
    }
    if (rows.size() < range.limit) break;
    range.after = rows.back().key;
  }
  return status;
}

Result<TrashStatus> ReadTrashStatus(MetaStore& meta) {
  TRY(const std::vector<v1::RunRow> runs, Runs(meta).All());
  TrashStatus status;
  uint64_t budget = TrashStatus::kMaxCounted;
  for (const v1::RunRow& run : runs) {
    if (run.state() == v1::RUN_STATE_FREED) continue;
    const bool is_open = run.kind() == v1::RUN_KIND_CLIENTS && !run.has_removed();
    // One row more shows whether there are more than the budget.
    const size_t limit = is_open ? TrashStatus::kMaxCounted : budget + 1;
    TRY(v1::RunCounts counts, Runs(meta).CountBlobs(run.id(), limit));
    if (!is_open && counts.blobs() > budget) {
      budget = 0;
      counts.set_blobs(Left(run.removed().blobs(), run.freed().blobs(), run.restored().blobs()));
      counts.set_blob_bytes(
          Left(run.removed().blob_bytes(), run.freed().blob_bytes(), run.restored().blob_bytes()));
    } else if (!is_open) {
      budget -= counts.blobs();
    }
    status.blobs += counts.blobs();
    status.bytes += counts.blob_bytes();
  }
  return status;
}

}  // namespace outport::store
