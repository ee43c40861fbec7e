#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "outport/v1/collection.pb.h"
#include "registry/base/clock.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// The clock of the times in the store's rows: leases, the grace period, the trash. It never goes
// back, not even across restarts. While the process runs, it follows CLOCK_BOOTTIME. Save() steps
// forward towards the wall clock if that is ahead by at most kMaxStep. A step is never longer than
// the time since the last Save(), so the clock runs at most twice as fast as time passes, also if
// somebody sets the wall clock forward again and again. A wall clock that is behind, or farther
// ahead, is ignored. So a wall clock that jumps far deletes nothing.
//
// The row `clock` persists the time. A step is written to this row before NowMs() shows it. Load()
// continues from the row:
//
//   same boot     the row's time and the time since then by CLOCK_BOOTTIME, which is exact
//   other boot    the wall clock, if it is ahead of the row by at most kMaxStep; else the row
//
// A time by CLOCK_BOOTTIME that is more than kMaxStep ahead of the wall clock counts as another
// boot: a container may have a CLOCK_BOOTTIME of its own.
//
// If the machine has restarted and the wall clock is farther ahead, the store cannot know whether
// the machine was off for so long or whether the wall clock is wrong. Then Jump() returns the
// difference until Accept() is called, or until the two clocks agree again by themselves. The
// collector waits meanwhile. Restarts do not end the wait.
//
// A step ends leases early. SinceStep() tells how long ago the last one was, so that the collector
// can wait until every lease from before the step has had its full time. Restarts do not end this
// wait either. A restart of the machine counts as a step if the clock moves over it by more than a
// second.
//
// Several processes may share the row. If another one has written it since, Save() continues from
// the later one of the two times, and never writes an earlier time. Such a step counts as any
// other.
//
// Safe for several threads.
class StoreClock {
 public:
  static constexpr std::chrono::milliseconds kMaxStep = std::chrono::hours(1);
  // Smaller steps do not count for SinceStep(). They correct the drift of CLOCK_BOOTTIME.
  static constexpr std::chrono::milliseconds kSmallStep = std::chrono::seconds(1);
  // The longest time between two calls of Save(). After an unclean stop and a restart of the
  // machine, the clock continues at this distance from the row, because the store may have used
  // the times in between.
  static constexpr std::chrono::milliseconds kMaxSavePeriod = std::chrono::minutes(1);

  // Without Load(), the clock begins at the wall time.
  explicit StoreClock(const Clock& clock, std::string boot_id = BootId());

  // Continues from the row, if there is one. Call it at start, before NowMs(), and call Save()
  // before the store writes a row with a time. Blocks.
  Result<void> Load(const MetaView& meta);
  // Persists the time, so that the clock survives a power cut, after a step towards the wall clock
  // if that is due. `next` is the longest time until the next call; zero for the last call before
  // the process ends. After an error the clock has made no step. Blocks.
  Result<void> Save(MetaStore& meta, std::chrono::milliseconds next = kMaxSavePeriod);
  // Steps forward to the wall clock, however far it is ahead, persists the time, and ends the wait
  // after a jump. Changes nothing if that fails. Blocks.
  Result<void> Accept(MetaStore& meta);

  // Returns the time in milliseconds since 1970. Does not block.
  int64_t NowMs() const;
  // Returns by how much the wall clock was ahead at Load(), or nullopt if nothing waits for
  // Accept(). Does not block.
  std::optional<std::chrono::milliseconds> Jump() const;
  // Returns by how much the wall clock is ahead now; negative if it is behind. More than kMaxStep
  // means that one of the two clocks is wrong. Does not block.
  std::chrono::milliseconds WallDifference() const;

  // Returns the time by CLOCK_BOOTTIME since the last step of more than kSmallStep; nullopt if
  // there was none. A time of NowMs() after a step is never seen before the step is. Does not
  // block.
  std::optional<std::chrono::nanoseconds> SinceStep() const;

  // Returns what an administrator should know about the two clocks, and what to do; nullopt if they
  // agree. Does not block.
  std::optional<std::string> Warning() const;

 private:
  // The time at a moment. It grows with CLOCK_BOOTTIME.
  struct Point {
    int64_t time_ms = 0;
    std::chrono::nanoseconds boot{0};
  };
  // Returns the present time, and the moment at which its millisecond began.
  Point Now() const OUTPORT_REQUIRES_LOCK(mutex_);
  // The state that the next row persists.
  struct Next {
    Point point;
    int64_t until_ms = 0;
    std::optional<std::chrono::milliseconds> jump = {};
    std::optional<std::chrono::nanoseconds> stepped = {};
    bool counts = false;  // whether this is a step of more than kSmallStep
  };
  void Continue(const v1::ClockRow& row) OUTPORT_REQUIRES_LOCK(mutex_);
  // Returns the state after a step, if the wall clock is ahead by at most `max_step`.
  Next MakeNext(std::chrono::milliseconds max_step) const;
  // Takes over what another process has written.
  void Merge(const v1::ClockRow& row, Next& next) const;
  v1::ClockRow ToRow(const Next& next) const;
  // Writes the row, after a step if the wall clock is ahead by at most `max_step`.
  Result<void> Persist(MetaStore& meta, std::chrono::milliseconds next,
                       std::chrono::milliseconds max_step);

  const Clock& clock_;
  const std::string boot_id_;
  Mutex saving_;  // held while a row is written, so that rows are written in the order of time
  // The row as this object read or wrote it last; empty: none.
  std::string known_ OUTPORT_GUARDED_BY(saving_);
  mutable Mutex mutex_;
  Point base_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<std::chrono::milliseconds> jump_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<std::chrono::nanoseconds> stepped_ OUTPORT_GUARDED_BY(mutex_);  // since boot
};

}  // namespace outport::store
