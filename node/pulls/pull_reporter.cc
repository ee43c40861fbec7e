#include "node/pulls/pull_reporter.h"

#include <algorithm>
#include <utility>

#include "node/upstream/store_stubs.h"
#include "registry/records/rows.h"
#include "registry/rpc/unary.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kPullsInCall = 5000;
constexpr milliseconds kDeadline{10'000};
constexpr int kReconnectSpread = 10;  // of the interval between reports
constexpr int kMostDoublings = 8;

}  // namespace

PullReporter::PullReporter(Parts parts)
    : parts_(std::move(parts)),
      reported_(parts_.metrics.Counter(
          "outport_node_pulls_reported_total",
          "Pulls that the store has acknowledged: at most one a tag or digest and hour.")),
      dropped_counter_(parts_.metrics.Counter(
          "outport_node_pulls_dropped_total",
          "Pulls that were not reported, because too many waited for a report.")),
      flush_failure_(
          {.log = parts_.log, .failed = "pulls not written", .level = LogLevel::kWarning}),
      report_failure_({.log = parts_.log,
                       .failed = "pull report failed",
                       .recovered = "pull report succeeded",
                       .level = LogLevel::kWarning}),
      drop_failure_({.log = parts_.log, .failed = "pulls dropped", .level = LogLevel::kWarning}),
      rows_(parts_.meta, parts_.clock),
      random_(std::random_device()()) {}

void PullReporter::Start() {
  parts_.tasks.Spawn([this] { return Run(); });
}

void PullReporter::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stopped_.Notify();
}

bool PullReporter::IsStopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

Awaitable<void> PullReporter::Run() {
  next_flush_ = steady_clock::now() + parts_.intervals.flush;
  for (;;) {
    const uint64_t seen = stopped_.Version();
    const bool stopping = IsStopping();
    if (stopping || steady_clock::now() >= next_flush_) {
      auto flush = [this] { return Flush(); };
      const Result<int64_t> flushed = co_await Blocking(parts_.pool, std::move(flush));
      flush_failure_.Record(flushed.has_value() ? Result<void>() : Result<void>(flushed.error()));
      next_flush_ = steady_clock::now() + parts_.intervals.flush;
    }
    if (stopping) co_return;
    const bool connected = parts_.store_is_connected();
    if (connected && !was_connected_) {
      // All nodes connect at once after a restart of the store. It waits for the first report of a
      // new node.
      next_report_ = steady_clock::now();
      if (last_report_.has_value()) {
        next_report_ += Jitter(parts_.intervals.report / kReconnectSpread);
      }
    }
    was_connected_ = connected;
    if (connected && steady_clock::now() >= next_report_) {
      const Result<void> reported = co_await Report();
      report_failure_.Record(reported);
      ScheduleReport(reported);
    }
    co_await stopped_.WaitPast(seen, steady_clock::now() + parts_.intervals.check);
  }
}

void PullReporter::CountDropped(uint64_t dropped) {
  dropped_ += dropped;
  dropped_counter_.Increment(static_cast<double>(dropped));
  drop_failure_.Record(dropped == 0
                           ? Result<void>()
                           : Error{ErrorCode::kTooManyRequests,
                                   "too many tags and digests wait for a report to the store"});
}

Result<int64_t> PullReporter::Flush() {
  uint64_t dropped = 0;
  if (unwritten_.pulls.empty()) {
    unwritten_ = parts_.pulls.Take();
    dropped = std::exchange(unwritten_.dropped, 0);
  }
  const Result<uint64_t> deleted = rows_.Add(unwritten_.pulls);
  CountDropped(dropped + deleted.value_or(0));
  if (!deleted.has_value()) return deleted.error();
  return std::exchange(unwritten_, PullRecorder::Taken()).before_ms;
}

Result<PullReporter::Batch> PullReporter::ReadBatch(const std::string& after,
                                                    int64_t complete_before_ms) const {
  Batch batch;
  TRY(batch.rows, rows_.List(after, kPullsInCall));
  for (const KeyValue& row : batch.rows) {
    TRY(const auto pulled, ParseRow<v1::PulledRow>(row.key, row.value));
    const std::string_view names = keys::After(row.key, keys::kPulled);
    const size_t separator = names.find(keys::kSeparator);
    if (separator == std::string_view::npos) continue;
    v1::ReportPullsRequest::Pull& pull = *batch.request.add_pulls();
    pull.set_repository(std::string(names.substr(0, separator)));
    pull.set_reference(std::string(names.substr(separator + 1)));
    pull.set_age_ms(rows_.AgeMs(pulled));
  }
  batch.request.set_dropped(dropped_);
  batch.request.set_complete(batch.rows.size() < kPullsInCall);
  if (batch.request.complete()) {
    const auto now = std::chrono::duration_cast<milliseconds>(parts_.clock.SinceBoot());
    // The store subtracts the age from the time when the call arrives.
    batch.request.set_complete_age_ms(now.count() - complete_before_ms + kDeadline.count());
  }
  return batch;
}

Awaitable<Result<void>> PullReporter::Report() {
  auto flush = [this] { return Flush(); };
  CO_TRY(const int64_t before_ms, co_await Blocking(parts_.pool, std::move(flush)));
  const bool may_skip = last_report_.has_value() &&
                        steady_clock::now() < *last_report_ + parts_.intervals.empty_report;
  std::string after;
  for (;;) {
    auto read = [this, after, before_ms] { return ReadBatch(after, before_ms); };
    CO_TRY(const Batch batch, co_await Blocking(parts_.pool, std::move(read)));
    const bool empty = batch.rows.empty() && batch.request.dropped() == 0;
    if (empty && after.empty() && may_skip) co_return Result<void>();
    CO_TRY_VOID(co_await Send(batch));
    if (batch.request.complete()) break;
    if (IsStopping()) co_return Result<void>();
    after = batch.rows.back().key;
  }
  last_report_ = steady_clock::now();
  co_return Result<void>();
}

Awaitable<Result<void>> PullReporter::Send(const Batch& batch) {
  rpc::CallOptions options{
      .operation = "reporting pulls to the store", .timeout = kDeadline, .request_id = {}};
  auto invoke = [store = parts_.channel->Stubs()](auto... arguments) {
    store->replication.async()->ReportPulls(arguments...);
  };
  CO_TRY_VOID(
      co_await rpc::Call<v1::ReportPullsResponse>(invoke, batch.request, std::move(options)));
  reported_.Increment(static_cast<double>(batch.request.pulls_size()));
  dropped_ -= std::min(dropped_, batch.request.dropped());
  auto remove = [this, &batch] { return rows_.Remove(batch.rows); };
  co_return co_await Blocking(parts_.pool, std::move(remove));
}

void PullReporter::ScheduleReport(const Result<void>& reported) {
  milliseconds pause = parts_.intervals.report;
  failures_ = reported.has_value() ? 0 : std::min(failures_ + 1, kMostDoublings);
  if (failures_ > 0) {
    pause = std::min(pause * (1 << failures_), parts_.intervals.longest_backoff);
    pause = Jitter(pause);
  }
  next_report_ = steady_clock::now() + pause;
}

milliseconds PullReporter::Jitter(milliseconds most) {
  std::uniform_int_distribution<int64_t> jitter(0, most.count());
  return milliseconds(jitter(random_));
}

}  // namespace outport::node
