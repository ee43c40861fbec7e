#include "store/gc/queue_status.h"

#include <algorithm>
#include <string>
#include <vector>

#include "registry/records/rows.h"
#include "store/content/trash.h"
#include "store/gc/content_key.h"
#include "store/gc/runs.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr minutes kOverdue = std::chrono::hours(1);
constexpr minutes kOverdueAtMost = std::chrono::hours(25);
constexpr size_t kRowsPerScan = 1000;

// Returns at most how much is still in the trash: pushes, restores of single tags, and undos of
// other runs take content out of the trash without a count in the run.
uint64_t Left(uint64_t removed, uint64_t freed, uint64_t restored) {
  return removed > freed + restored ? removed - freed - restored : 0;
}

// Returns how many rows begin with `prefix`, at most `limit`.
Result<uint64_t> CountRows(const MetaView& meta, const std::string& prefix, uint64_t limit) {
  uint64_t count = 0;
  ScanRange range{.prefix = prefix};
  while (count < limit) {
    range.limit = std::min<uint64_t>(limit - count, kRowsPerScan);
    TRY(const std::vector<KeyValue> rows, meta.Scan(range));
    count += rows.size();
    if (rows.size() < range.limit) break;
    range.after = rows.back().key;
  }
  return count;
}

}  // namespace

milliseconds OverdueAfter(const DailyWindow& window, std::chrono::system_clock::time_point wall) {
  minutes waited{0};
  minutes open{0};
  while (open < kOverdue && waited < kOverdueAtMost) {
    ++waited;
    if (window.Contains(wall - waited)) ++open;
  }
  return waited;
}

Result<QueueStatus> ReadQueueStatus(const MetaView& meta, int64_t now_ms,
                                    milliseconds overdue_after) {
  QueueStatus status;
  ScanRange range{.prefix = std::string(keys::kCondemned), .limit = kRowsPerScan};
  while (status.condemned < QueueStatus::kMaxCount) {
    TRY(const std::vector<KeyValue> rows, meta.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const QueuedLink link, ParseQueuedLink(row.key));
      if (status.condemned == 0 && link.due_ms <= now_ms) status.oldest_due_ms = link.due_ms;
      if (link.due_ms + overdue_after.count() < now_ms) ++status.overdue;
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

Result<OverdueTrash> ReadOverdueTrash(MetaStore& meta, const CollectionTimes& times, int64_t now_ms,
                                      milliseconds overdue_after) {
  TRY(const std::vector<v1::RunRow> runs, Runs(meta).All());
  OverdueTrash overdue;
  const auto count = [&](const v1::RunRow& run, std::string_view kind,
                         int64_t due_ms) -> Result<void> {
    if (due_ms + overdue_after.count() >= now_ms) return {};
    const uint64_t left = OverdueTrash::kMaxCount - overdue.rows;
    TRY(const uint64_t rows, CountRows(meta, keys::TrashOf(run.id(), kind), left));
    overdue.rows += rows;
    const bool oldest = overdue.oldest_due_ms == 0 || due_ms < overdue.oldest_due_ms;
    if (rows > 0 && oldest) overdue.oldest_due_ms = due_ms;
    return {};
  };
  for (const v1::RunRow& run : runs) {
    if (IsInProgress(run) || run.state() == v1::RUN_STATE_FREED) continue;
    const int64_t end_ms = run.ended_ms() + times.trash.count();
    for (const std::string_view kind : {trash_kind::kLink, trash_kind::kBlob}) {
      TRY_VOID(count(run, kind, end_ms));
    }
    for (const std::string_view kind : {trash_kind::kTag, trash_kind::kManifest}) {
      TRY_VOID(count(run, kind, end_ms + times.grace.count()));
    }
  }
  return overdue;
}

}  // namespace outport::store
