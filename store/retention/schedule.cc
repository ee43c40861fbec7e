#include "store/retention/schedule.h"

#include <ctime>
#include <optional>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using std::chrono::system_clock;

constexpr int kMinutesOfHour = 60;
constexpr int64_t kDayMs = 24 * 3'600'000;
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

std::string NotStarted(int64_t due_ms, const std::string& why) {
  return "the retention run that was due at " + FormatTime(FromUnixMillis(due_ms)) +
         " has not started: " + why;
}

}  // namespace

RetentionSchedule::RetentionSchedule(Parts parts)
    : parts_(std::move(parts)),
      failure_({.log = parts_.log,
                .failed = "scheduled retention run not started",
                .level = LogLevel::kWarning}) {}

void RetentionSchedule::RunIfDue(int minute, int64_t since_ms) {
  if (minute < 0) left_.clear();
  if (minute < 0 || !parts_.collector.HoldsLease()) {
    Warn({});
    return;
  }
  const Result<void> looked = Look(LastAt(parts_.clock.Wall(), minute), since_ms);
  // Another process has begun to collect meanwhile, and starts the run.
  if (!looked.has_value() && !parts_.collector.HoldsLease()) return;
  if (!looked.has_value()) failure_.Record(looked);
}

Result<void> RetentionSchedule::Look(system_clock::time_point at, int64_t since_ms) {
  const int64_t at_ms = ToUnixMillis(at);
  const system_clock::time_point now = parts_.clock.Wall();
  TRY(auto row, ReadRow<v1::RetentionScheduleRow>(parts_.meta, keys::kRetentionSchedule));
  // A row of the future is from a clock that was wrong.
  if (row.has_value() && row->due_ms() > ToUnixMillis(now) + kDayMs) row.reset();
  const bool tried = row.has_value() && row->due_ms() >= at_ms;
  const bool done = tried ? row->failure().empty() : at_ms <= since_ms;
  Result<void> started;
  if (!done && now < at + kTryFor && now >= next_try_) {
    next_try_ = now + kRetry;
    v1::RetentionScheduleRow attempt;
    attempt.set_due_ms(at_ms);
    started = Start(attempt);
    TRY(row, ReadRow<v1::RetentionScheduleRow>(parts_.meta, keys::kRetentionSchedule));
  }
  std::vector<std::string> warnings = left_;
  const bool missed = !done && row.has_value() && row->due_ms() < at_ms && now >= at + kTryFor;
  if (missed) {
    warnings = {NotStarted(at_ms, "no store was running at that time")};
  } else if (row.has_value() && !row->failure().empty()) {
    warnings = {NotStarted(row->due_ms(), row->failure())};
  }
  Warn(std::move(warnings));
  return started;
}

// Starts the run, and writes down what became of it.
Result<void> RetentionSchedule::Start(const v1::RetentionScheduleRow& row) {
  const Result<Started> started = parts_.start();
  if (started.has_value()) {
    left_ = WhatStays(*started);
    failure_.Record({});
    parts_.log.Info("scheduled retention run started",
                    {{"run", started->run.id()},
                     {"tags", started->run.planned().tags()},
                     {"manifests", started->run.planned().manifests()},
                     {"cut", started->cut},
                     {"too_large", started->too_large.size()}});
    return Write(row);
  }
  if (!parts_.collector.HoldsLease()) return started.error();
  v1::RetentionScheduleRow failed = row;
  failed.set_failure(started.error().message);
  TRY_VOID(Write(failed));
  return started.error();
}

Result<void> RetentionSchedule::Write(const v1::RetentionScheduleRow& row) {
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
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
