#include "store/work/store_clock.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

int64_t WallMs(const Clock& clock) { return ToUnixMillis(clock.Wall()); }

// Whether the clock may step forward by this difference.
bool IsStep(milliseconds ahead, milliseconds max_step) {
  return ahead > milliseconds(0) && ahead <= max_step;
}

std::string InHours(milliseconds time) {
  const auto minutes = std::chrono::floor<std::chrono::minutes>(std::chrono::abs(time)).count();
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

}  // namespace

StoreClock::StoreClock(const Clock& clock, std::string boot_id)
    : clock_(clock),
      boot_id_(std::move(boot_id)),
      base_{.time_ms = WallMs(clock), .boot = clock.SinceBoot()} {}

Result<void> StoreClock::Load(const MetaView& meta) {
  MutexLock turn(saving_);
  TRY(const auto value, meta.Get(keys::kClock));
  std::optional<v1::ClockRow> row;
  if (value.has_value()) {
    TRY(row, ParseRow<v1::ClockRow>(keys::kClock, *value));
  }
  known_ = value.value_or("");
  MutexLock lock(mutex_);
  base_ = {.time_ms = WallMs(clock_), .boot = clock_.SinceBoot()};
  jump_.reset();
  stepped_.reset();
  if (row.has_value()) Continue(*row);
  return {};
}

void StoreClock::Continue(const v1::ClockRow& row) {
  const Point wall = base_;
  const int64_t used_until_ms = std::max(row.time_ms(), row.until_ms());
  const nanoseconds row_boot(row.boot_ns());
  base_ = {.time_ms = row.time_ms(), .boot = row_boot};
  // A container may have its own CLOCK_BOOTTIME (time_namespaces(7)). It can be behind that of the
  // row, or so far ahead that the time would pass the wall clock.
  const int64_t latest_ms = std::max(used_until_ms, wall.time_ms + kMaxStep.count());
  const bool same_boot =
      row.boot_id() == boot_id_ && row_boot <= wall.boot && Now().time_ms <= latest_ms;
  if (!same_boot) base_ = {.time_ms = used_until_ms, .boot = wall.boot};
  const int64_t before_ms = same_boot ? Now().time_ms : row.time_ms();
  const milliseconds ahead(wall.time_ms - Now().time_ms);
  // After the same boot, Save() follows the wall clock.
  if (!same_boot && IsStep(ahead, kMaxStep)) base_ = wall;
  if (row.stepped_boot_ns() != 0) {
    stepped_ = same_boot ? nanoseconds(row.stepped_boot_ns()) : wall.boot;
  }
  if (Now().time_ms - before_ms > kSmallStep.count()) stepped_ = wall.boot;
  if (row.jump_ms() > 0 && std::chrono::abs(ahead) > kMaxStep) jump_ = milliseconds(row.jump_ms());
  if (!same_boot && ahead > kMaxStep) jump_ = ahead;
}

StoreClock::Point StoreClock::Now() const {
  const auto passed = std::chrono::floor<milliseconds>(clock_.SinceBoot() - base_.boot);
  return {.time_ms = base_.time_ms + passed.count(), .boot = base_.boot + passed};
}

StoreClock::Next StoreClock::MakeNext(milliseconds max_step) const {
  MutexLock lock(mutex_);
  Next next{.point = Now()};
  const milliseconds ahead(WallMs(clock_) - next.point.time_ms);
  const bool accepts = max_step != kMaxStep;
  // Without this limit, a wall clock that is set forward again and again would be followed far.
  const auto passed = std::chrono::floor<milliseconds>(next.point.boot - base_.boot);
  const milliseconds step = accepts ? ahead : std::min(ahead, passed);
  const bool steps = IsStep(ahead, max_step) && step > milliseconds(0);
  if (steps) next.point.time_ms += step.count();
  next.counts = steps && ahead > kSmallStep;
  next.stepped = next.counts ? next.point.boot : stepped_;
  if (!accepts && std::chrono::abs(ahead) > kMaxStep) next.jump = jump_;
  return next;
}

// The row says what time another process has used at least. How much has passed since is not known,
// because a machine or a container may have a CLOCK_BOOTTIME of its own.
void StoreClock::Merge(const v1::ClockRow& row, Next& next) const {
  const int64_t later_ms = row.time_ms() - next.point.time_ms;
  if (later_ms > 0) next.point.time_ms = row.time_ms();
  if (later_ms > kSmallStep.count()) {
    next.counts = true;
    next.stepped = next.point.boot;
  }
  const nanoseconds stepped(row.stepped_boot_ns());
  const bool same_boot = row.boot_id() == boot_id_ && row.boot_ns() <= next.point.boot.count();
  if (same_boot && stepped > next.stepped.value_or(nanoseconds(0))) next.stepped = stepped;
  next.until_ms = std::max({next.until_ms, next.point.time_ms, row.until_ms()});
  const milliseconds ahead(WallMs(clock_) - next.point.time_ms);
  if (std::chrono::abs(ahead) <= kMaxStep) {
    next.jump.reset();
  } else if (row.jump_ms() > 0) {
    next.jump = milliseconds(row.jump_ms());
  }
}

v1::ClockRow StoreClock::ToRow(const Next& next) const {
  v1::ClockRow row;
  row.set_time_ms(next.point.time_ms);
  row.set_boot_id(boot_id_);
  row.set_boot_ns(next.point.boot.count());
  row.set_until_ms(next.until_ms);
  row.set_jump_ms(next.jump.has_value() ? next.jump->count() : 0);
  row.set_stepped_boot_ns(next.stepped.has_value() ? next.stepped->count() : 0);
  return row;
}

Result<void> StoreClock::Persist(MetaStore& meta, milliseconds period, milliseconds max_step) {
  MutexLock turn(saving_);
  const Next mine = MakeNext(max_step);
  const std::string known = known_;
  Next next;
  std::string written;
  const auto write = [&](MetaTransaction& transaction) -> Result<void> {
    next = mine;
    next.until_ms = next.point.time_ms + period.count();
    TRY(const auto value, transaction.GetForUpdate(keys::kClock));
    if (value.has_value() && *value != known) {
      TRY(const auto row, ParseRow<v1::ClockRow>(keys::kClock, *value));
      Merge(row, next);
    }
    written = ToRow(next).SerializeAsString();
    return transaction.Put(keys::kClock, written);
  };
  TRY_VOID(Transact(meta, write));
  known_ = std::move(written);
  MutexLock lock(mutex_);
  base_ = next.point;  // computes the same times as before, or later ones after a step
  jump_ = next.jump;
  stepped_ = next.counts ? clock_.SinceBoot() : next.stepped;  // NowMs() shows the step only now
  return {};
}

Result<void> StoreClock::Save(MetaStore& meta, milliseconds next) {
  return Persist(meta, next, kMaxStep);
}

Result<void> StoreClock::Accept(MetaStore& meta) {
  return Persist(meta, kMaxSavePeriod, milliseconds::max());
}

int64_t StoreClock::NowMs() const {
  MutexLock lock(mutex_);
  return Now().time_ms;
}

std::optional<milliseconds> StoreClock::Jump() const {
  MutexLock lock(mutex_);
  return jump_;
}

std::optional<nanoseconds> StoreClock::SinceStep() const {
  MutexLock lock(mutex_);
  if (!stepped_.has_value()) return std::nullopt;
  return clock_.SinceBoot() - *stepped_;
}

milliseconds StoreClock::WallDifference() const {
  MutexLock lock(mutex_);
  return milliseconds(WallMs(clock_) - Now().time_ms);
}

std::optional<std::string> StoreClock::Warning() const {
  const std::string how =
      "set the wall clock, or run 'outportctl gc resume --accept-clock' if it is right";
  if (const auto jump = Jump()) {
    return "garbage collection waits: the wall clock was " + InHours(*jump) +
           " ahead of the store clock when the machine started; " + how;
  }
  const milliseconds ahead = WallDifference();
  if (ahead > kMaxStep) {
    return "the wall clock is " + InHours(ahead) + " ahead of the store clock; " + how;
  }
  if (ahead < -kMaxStep) {
    return "the wall clock is " + InHours(ahead) + " behind the store clock; set the wall clock";
  }
  return std::nullopt;
}

}  // namespace outport::store
