#include "store/content/pull_flush.h"

#include <chrono>
#include <utility>

#include "registry/base/repeat.h"
#include "store/content/pulls.h"

namespace outport::store {
namespace {

constexpr std::chrono::seconds kPeriod{30};

prometheus::Counter& Dropped(Metrics& metrics, const std::string& reason) {
  return metrics.Counter("outport_store_pulls_dropped_total",
                         "Pulls that the store did not record, by reason.", {{"reason", reason}});
}

}  // namespace

PullMetrics::PullMetrics(Metrics& metrics)
    : written(metrics.Counter(
          "outport_store_pulls_recorded_total",
          "Last pulls written: at most one a tag or digest and hour, at the store and at nodes.")),
      full(Dropped(metrics, "full")),
      unknown(Dropped(metrics, "unknown")),
      not_permitted(Dropped(metrics, "not_permitted")) {}

PullFlush::PullFlush(Parts parts)
    : parts_(std::move(parts)),
      metrics_(parts_.metrics),
      write_failure_(
          {.log = parts_.log, .failed = "pulls not written", .level = LogLevel::kWarning}),
      full_({.log = parts_.log, .failed = "pulls dropped", .level = LogLevel::kWarning}) {}

Result<void> PullFlush::Flush() {
  const MutexLock lock(mutex_);
  Result<void> written = WriteUnwritten();
  if (written.has_value()) {
    TakeAll();
    written = WriteUnwritten();
  }
  write_failure_.Record(written);
  return written;
}

void PullFlush::TakeAll() {
  PullRecorder::Taken taken = parts_.pulls.Take();
  unwritten_ = std::move(taken.pulls);
  metrics_.full.Increment(static_cast<double>(taken.dropped));
  full_.Record(taken.dropped == 0
                   ? Result<void>()
                   : Error{ErrorCode::kTooManyRequests,
                           "clients pulled more tags and digests than the store can record"});
}

Result<void> PullFlush::WriteUnwritten() {
  if (unwritten_.empty()) return {};
  TRY(const WrittenPulls written,
      WritePulls(parts_.meta, unwritten_, {}, MetaTransaction::Durability::kBuffered));
  unwritten_.clear();
  metrics_.written.Increment(static_cast<double>(written.rows));
  metrics_.unknown.Increment(static_cast<double>(written.unknown));
  return {};
}

Awaitable<void> PullFlush::RunUntilCancelled() {
  auto flush = [this] { static_cast<void>(Flush()); };
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, std::move(flush));
}

}  // namespace outport::store
