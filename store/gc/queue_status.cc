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

// Returns the amount that is still in the trash. Restores of single tags take content out of the
// trash without a count in the run, so the difference may be below zero.
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
  for (const v1::RunRow& run : runs) {
    if (run.state() == v1::RUN_STATE_FREED) continue;
    if (run.kind() == v1::RUN_KIND_CLIENTS && !run.has_removed()) {
      TRY(const v1::RunCounts counts, Runs(meta).CountBlobs(run.id(), TrashStatus::kMaxCounted));
      status.blobs += counts.blobs();
      status.bytes += counts.blob_bytes();
      continue;
    }
    status.blobs += Left(run.removed().blobs(), run.freed().blobs(), run.restored().blobs());
    status.bytes +=
        Left(run.removed().blob_bytes(), run.freed().blob_bytes(), run.restored().blob_bytes());
  }
  return status;
}

}  // namespace outport::store
