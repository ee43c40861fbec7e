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
// so; the others are silent. The row `retention-schedule` says what became of the last time, so
// that no run starts twice when another process collects from then on, or after a restart.
//
// RunIfDue() is for one thread at a time; Warnings() is safe for several threads.
class RetentionSchedule {
 public:
  static constexpr std::chrono::hours kTryFor{6};
  static constexpr std::chrono::minutes kRetry{10};

  struct Started {
    v1::RunRow run;
    bool cut = false;                    // the run does not delete everything
    std::vector<std::string> too_large;  // repositories that the run leaves alone
  };
  // The referenced objects outlive this object.
  struct Parts {
    MetaStore& meta;
    const Clock& clock;
    Collector& collector;
    Log log;
    std::function<Result<Started>()> start;
  };
  explicit RetentionSchedule(Parts parts);

  // `minute` is the minute of the day in local time; negative: there is no schedule. A time before
  // `since_ms`, when the schedule was set, is not due. If a run cannot start, tries again every
  // kRetry for kTryFor. Blocks.
  void RunIfDue(int minute, int64_t since_ms);
  // Records why the schedule is not known.
  void Fail(const Error& why) { failure_.Record(why); }

  // Returns the warnings for operators, as of the last RunIfDue(). Does not block.
  std::vector<std::string> Warnings() const;

 private:
  Result<void> Look(std::chrono::system_clock::time_point at, int64_t since_ms);
  Result<void> Start(const v1::RetentionScheduleRow& row);
  Result<void> Write(const v1::RetentionScheduleRow& row);
  void Warn(std::vector<std::string> warnings);

  const Parts parts_;
  RepeatedFailure failure_;
  // Only for RunIfDue().
  std::chrono::system_clock::time_point next_try_;
  std::vector<std::string> left_;  // what the last run does not delete, as warnings

  mutable Mutex mutex_;
  std::vector<std::string> warnings_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
