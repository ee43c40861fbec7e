#include "store/retention/schedule.h"

#include <ctime>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using std::chrono::system_clock;

constexpr int kMinutesOfHour = 60;
constexpr size_t kNamedRepositories = 5;  // in a warning

// Returns the last time before or at `now` with this minute of the day.
system_clock::time_point LastAt(system_clock::time_point now, int minute) {
  const std::time_t time = system_clock::to_time_t(now);
  system_clock::time_point at;
  for (const int days : {0, 1}) {
    std::tm local{};
    ::localtime_r(&time, &local);
    local.tm_mday -= days;
    local.tm_hour = minute / kMinutesOfHour;
    local.tm_min = minute % kMinutesOfHour;
    local.tm_sec = 0;
    local.tm_isdst = -1;
    at = system_clock::from_time_t(std::mktime(&local));
    if (at <= now) break;
  }
  return at;
}

std::vector<std::string> WhatStays(const RetentionSchedule::Started& started) {
  std::vector<std::string> warnings;
  if (started.cut) {
    warnings.push_back(
        "the last scheduled retention run was too large and deletes only a part; "
        "'outportctl retention run' deletes the rest");
  }
  if (started.too_large.empty()) return warnings;
  std::string text = "the last scheduled retention run left out repositories that are too large:";
  for (size_t i = 0; i < started.too_large.size() && i < kNamedRepositories; ++i) {
    text += (i == 0 ? " " : ", ") + started.too_large[i];
  }
  if (started.too_large.size() > kNamedRepositories) {
    text += " and " + std::to_string(started.too_large.size() - kNamedRepositories) + " more";
  }
  warnings.push_back(text + "; delete tags there by hand");
  return warnings;
}

std::string DueAt(int64_t due_ms) {
  return "the retention run that was due at " + FormatTime(FromUnixMillis(due_ms));
}

bool DidStart(const v1::RetentionScheduleRow& row) { return row.failure().empty(); }

v1::RetentionScheduleRow RowOf(int64_t due_ms, std::string failure = {}) {
  v1::RetentionScheduleRow row;
  row.set_due_ms(due_ms);
  row.set_failure(std::move(failure));
  return row;
}

v1::RetentionScheduleRow RowOf(int64_t due_ms, const std::vector<std::string>& stays) {
  v1::RetentionScheduleRow row = RowOf(due_ms);
  row.mutable_warnings()->Assign(stays.begin(), stays.end());
  return row;
}

std::vector<std::string> WarningsOf(const v1::RetentionScheduleRow& row) {
  if (!DidStart(row)) return {DueAt(row.due_ms()) + " has not started: " + row.failure()};
  return {row.warnings().begin(), row.warnings().end()};
}

// Moves the warnings of a row of an earlier release to their own field.
void MoveWarnings(v1::RetentionScheduleRow& row) {
  constexpr std::string_view kStarted = "started\n";
  if (!row.failure().starts_with(kStarted)) return;
  std::istringstream lines(row.failure().substr(kStarted.size()));
  for (std::string line; std::getline(lines, line);) row.add_warnings(line);
  row.clear_failure();
}

// Without a row, the result has no time. A corrupt row counts as none, and the next write replaces
// it.
Result<v1::RetentionScheduleRow> RowIn(Result<std::optional<v1::RetentionScheduleRow>> read) {
  TRY(std::optional<v1::RetentionScheduleRow> row, NoneIfCorrupt(std::move(read)));
  if (!row.has_value()) row.emplace();
  MoveWarnings(*row);
  return *std::move(row);
}

bool IsAhead(const v1::RetentionScheduleRow& row, system_clock::time_point now) {
  return row.due_ms() > ToUnixMillis(now + RetentionSchedule::kMaxAhead);
}

}  // namespace

RetentionSchedule::RetentionSchedule(Parts parts)
    : parts_(std::move(parts)),
      failure_({.log = parts_.log,
                .failed = "scheduled retention run not started",
                .level = LogLevel::kWarning}) {}

void RetentionSchedule::RunIfDue(int minute) {
  if (minute < 0 || !parts_.collector.HoldsLease()) {
    Warn({});
    return;
  }
  const Result<void> looked = Look(LastAt(parts_.clock.Wall(), minute));
  // Another process has begun to collect meanwhile, and starts the run.
  if (!looked.has_value() && !parts_.collector.HoldsLease()) return Warn({});
  if (!looked.has_value()) failure_.Record(looked);
}

void RetentionSchedule::Fail(const Error& why) {
  failure_.Record(why);
  Warn({"no scheduled retention run starts, because the policies cannot be read: " + why.message +
        "; 'outportctl retention apply FILE' replaces them"});
}

Result<void> RetentionSchedule::Set(MetaTransaction& transaction, int minute) const {
  return MarkDone(transaction, minute, true);
}

// If the run is incomplete, what the last scheduled run left is still there.
Result<void> RetentionSchedule::NoteRun(MetaTransaction& transaction, int minute,
                                        const Started& run) const {
  return MarkDone(transaction, minute, run.cut || !run.too_large.empty());
}

Result<void> RetentionSchedule::MarkDone(MetaTransaction& transaction, int minute,
                                         bool keeps_left) const {
  if (minute < 0) return {};
  const system_clock::time_point now = parts_.clock.Wall();
  const int64_t at_ms = ToUnixMillis(LastAt(now, minute));
  TRY(const v1::RetentionScheduleRow row,
      RowIn(LockRow<v1::RetentionScheduleRow>(transaction, keys::kRetentionSchedule)));
  const bool later = row.due_ms() >= at_ms && !IsAhead(row, now);
  if (later && keeps_left && DidStart(row)) return {};
  return WriteRow(transaction, keys::kRetentionSchedule, RowOf(later ? row.due_ms() : at_ms));
}

Result<void> RetentionSchedule::Look(system_clock::time_point at) {
  const int64_t at_ms = ToUnixMillis(at);
  const system_clock::time_point now = parts_.clock.Wall();
  const bool in_time = now < at + kTryFor;
  const auto read = [&] {
    return RowIn(ReadRow<v1::RetentionScheduleRow>(parts_.meta, keys::kRetentionSchedule));
  };
  TRY(v1::RetentionScheduleRow row, read());
  if (row.due_ms() == 0 || IsAhead(row, now)) {
    // An earlier release set the schedule without a row, and nobody knows what became of this time.
    // Or the wall clock was wrong, and perhaps the run of this time has not started.
    const bool again = row.due_ms() != 0 && in_time;
    row = RowOf(at_ms, std::string(again ? "the wall clock was wrong" : ""));
    TRY_VOID(Write(row));
  }
  const bool done = row.due_ms() >= at_ms && DidStart(row);
  Result<void> started;
  const bool waits = tried_ms_ == at_ms && parts_.clock.SinceBoot() < next_try_;
  if (!done && in_time && !waits) {
    tried_ms_ = at_ms;
    next_try_ = parts_.clock.SinceBoot() + kRetry;
    started = Start(at_ms);
    TRY(row, read());
  }
  if (row.due_ms() < at_ms && !in_time) {
    Warn({DueAt(at_ms) + " was not started within " + std::to_string(kTryFor.count()) +
          " h; 'outportctl retention run' starts one"});
  } else {
    Warn(WarningsOf(row));
  }
  return started;
}

// Starts the run, or writes down why it did not start.
Result<void> RetentionSchedule::Start(int64_t at_ms) {
  const Begin begin = [&](MetaTransaction& transaction, const Started& run) {
    return WriteRow(transaction, keys::kRetentionSchedule, RowOf(at_ms, WhatStays(run)));
  };
  const Result<Started> started = parts_.start(begin);
  if (started.has_value()) {
    failure_.Record({});
    parts_.log.Info("scheduled retention run started",
                    {{"run", started->run.id()},
                     {"tags", started->run.planned().tags()},
                     {"manifests", started->run.planned().manifests()},
                     {"cut", started->cut},
                     {"too_large", started->too_large.size()}});
    return {};
  }
  if (!parts_.collector.HoldsLease()) return started.error();
  TRY_VOID(Write(RowOf(at_ms, started.error().message)));
  return started.error();
}

// Writes the row. The row of a run of the same time that has begun stays: its start may have failed
// after that.
Result<void> RetentionSchedule::Write(const v1::RetentionScheduleRow& row) {
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const v1::RetentionScheduleRow old,
        RowIn(LockRow<v1::RetentionScheduleRow>(transaction, keys::kRetentionSchedule)));
    if (old.due_ms() == row.due_ms() && DidStart(old)) return {};
    TRY_VOID(WriteRow(transaction, keys::kRetentionSchedule, row));
    return parts_.collector.CheckLease(transaction);
  }));
  return {};
}

void RetentionSchedule::Warn(std::vector<std::string> warnings) {
  MutexLock lock(mutex_);
  warnings_ = std::move(warnings);
}

std::vector<std::string> RetentionSchedule::Warnings() const {
  MutexLock lock(mutex_);
  return warnings_;
}

}  // namespace outport::store
