#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "store/gc/collector.h"
#include "store/gc/runs.h"

// The methods with which the Collector tells operators its state.
namespace outport::store {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kOverdueWarningMs = 24 * 3'600'000;
// The status takes at most one part in 50 of the time, however long the queue and the list of runs
// are.
constexpr int64_t kStatusPart = 50;

}  // namespace

// Refreshes gauges and warnings, and keeps the list of runs in order. Does so once in an interval,
// or less often if that takes long.
Result<void> Collector::RefreshStatus() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  if (now_ms < next_status_ms_) return {};
  next_status_ms_ = now_ms + parts_.limits.interval.count();
  const std::chrono::nanoseconds began = parts_.clock.SinceBoot();
  Runs runs(parts_.meta);
  TRY_VOID(runs.CountDeletionsByClients(now_ms));
  TRY_VOID(runs.Prune());
  const milliseconds overdue_after = OverdueAfter(parts_.limits.window, parts_.clock.Wall());
  TRY(const QueueStatus queue, ReadQueueStatus(parts_.meta, now_ms, overdue_after));
  TRY(const TrashStatus trash, ReadTrashStatus(parts_.meta));
  TRY(const OverdueTrash late_trash,
      ReadOverdueTrash(parts_.meta, parts_.times, now_ms, overdue_after));
  TRY(const bool paused, IsPaused());
  queue_.Set(static_cast<double>(queue.condemned));
  overdue_.Set(static_cast<double>(queue.overdue));
  overdue_trash_.Set(static_cast<double>(late_trash.rows));
  trash_bytes_.Set(static_cast<double>(trash.bytes));
  std::vector<std::string> warnings;
  const auto is_late = [now_ms](uint64_t overdue, int64_t oldest_due_ms) {
    return overdue > 0 && oldest_due_ms + kOverdueWarningMs < now_ms;
  };
  if (!paused && is_late(queue.overdue, queue.oldest_due_ms)) {
    warnings.push_back("garbage collection is overdue since " +
                       FormatTime(FromUnixMillis(queue.oldest_due_ms)) +
                       "; look in the log for 'garbage collection failed', or widen gc.window or "
                       "raise gc.max_rate");
  }
  if (!paused && is_late(late_trash.rows, late_trash.oldest_due_ms)) {
    warnings.push_back(
        "the trash is overdue since " + FormatTime(FromUnixMillis(late_trash.oldest_due_ms)) +
        "; look in the log for 'object not removed' and 'garbage collection failed', "
        "or widen gc.window or raise gc.max_rate");
  }
  AddStuckWarnings(warnings);
  const auto wait = std::chrono::ceil<std::chrono::minutes>(work_.StepWait());
  if (wait.count() > 0) {
    warnings.push_back("garbage collection waits " + std::to_string(wait.count()) +
                       " min because the clock stepped forward: leases of clients may have ended "
                       "early; nothing to do if the wall clock is right");
  }
  const auto took = std::chrono::ceil<milliseconds>(parts_.clock.SinceBoot() - began);
  next_status_ms_ = std::max(next_status_ms_, now_ms + took.count() * kStatusPart);
  MutexLock lock(mutex_);
  warnings_ = std::move(warnings);
  return {};
}

// The warnings of content that stays until somebody repairs the disk or the metadata.
void Collector::AddStuckWarnings(std::vector<std::string>& warnings) const {
  if (const uint64_t stuck = purge_.stuck_objects(); stuck > 0) {
    warnings.push_back(
        "objects of freed blobs that the disk does not remove: " + std::to_string(stuck) +
        "; look in the log for 'object not removed', and check the disk");
  }
  if (const uint64_t corrupt = orphans_.corrupt_rows(); corrupt > 0) {
    warnings.push_back("corrupt rows of removed manifests: " + std::to_string(corrupt) +
                       "; the manifests that refer to these stay; look in the log for 'corrupt row "
                       "skipped'");
  }
  if (corrupt_links_.size() > 0) {
    warnings.push_back("blobs that nothing refers to and that stay because a row is corrupt: " +
                       std::to_string(corrupt_links_.size()) +
                       "; look in the log for 'corrupt row skipped'");
  }
}

}  // namespace outport::store
