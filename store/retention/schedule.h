#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/gc/collector.h"

namespace outport::store {

// Starts the run of retention whose time has come, once a day. Only the process that collects does
// so; the others are silent. The row `retention-schedule` says what became of the last time. The
// transaction that begins a run also writes this row, so that no run starts twice when another
// process collects from then on, or after a restart. All times are of the wall clock.
//
// RunIfDue() and Fail() are for one thread at a time; Set(), NoteRun() and Warnings() are safe for
// several threads.
class RetentionSchedule {
 public:
  static constexpr std::chrono::hours kTryFor{6};
  static constexpr std::chrono::minutes kRetry{10};
  // A row that is farther ahead of the wall clock is from a clock that was wrong.
  static constexpr std::chrono::hours kMaxAhead{1};

  struct Started {
    v1::RunRow run;
    bool cut = false;                    // the run does not delete everything
    std::vector<std::string> too_large;  // repositories that the run leaves alone
  };
  // A part of the transaction that begins the run. It may run several times.
  using Begin = std::function<Result<void>(MetaTransaction&, const Started&)>;
  // The referenced objects outlive this object.
  struct Parts {
    MetaStore& meta;
    const Clock& clock;
    Collector& collector;
    Log log;
    std::function<Result<Started>(const Begin&)> start;
  };
  explicit RetentionSchedule(Parts parts);

  // `minute` is the minute of the day in local time; negative: there is no schedule. If a run
  // cannot start, tries again every kRetry for kTryFor. Blocks.
  void RunIfDue(int minute);
  // Records why the schedule is not known, and warns.
  void Fail(const Error& why);
  // Is part of the transaction that sets another schedule: no time until now is due, and what
  // became of the earlier ones does not matter any more.
  Result<void> Set(MetaTransaction& transaction, int minute) const;
  // Is part of the transaction that begins a run by hand. That run stands for the scheduled one of
  // each time until now, so it ends the warnings.
  Result<void> NoteRun(MetaTransaction& transaction, int minute, const Started& run) const;

  // Returns the warnings for operators, as of the last RunIfDue(). Does not block.
  std::vector<std::string> Warnings() const;

 private:
  // Marks the latest time of the schedule as done. `keeps_left`: if its run has started, the row
  // keeps what that run left.
  Result<void> MarkDone(MetaTransaction& transaction, int minute, bool keeps_left) const;
  Result<void> Look(std::chrono::system_clock::time_point at);
  Result<void> Start(int64_t at_ms);
  Result<void> Write(const v1::RetentionScheduleRow& row);
  void Warn(std::vector<std::string> warnings);

  const Parts parts_;
  RepeatedFailure failure_;
  // Only for RunIfDue().
  int64_t tried_ms_ = 0;                  // the time for which this process tried to start a run
  std::chrono::nanoseconds next_try_{0};  // for that time, since boot

  mutable Mutex mutex_;
  std::vector<std::string> warnings_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
