#include "store/work/store_clock.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

Result<void> Write(MetaStore& meta, const v1::ClockRow& row) {
  TRY_VOID(Transact(meta, [&](MetaTransaction& transaction) {
    return WriteRow(transaction, keys::kClock, row);
  }));
  return {};
}

}  // namespace

StoreClock::StoreClock(const Clock& clock, std::string boot_id)
    : clock_(clock),
      boot_id_(std::move(boot_id)),
      time_ms_(ToUnixMillis(clock.Wall())),
      at_boot_(clock.SinceBoot()) {}

Result<void> StoreClock::Load(const MetaView& meta) {
  TRY(const auto row, ReadRow<v1::ClockRow>(meta, keys::kClock));
  MutexLock lock(mutex_);
  at_boot_ = clock_.SinceBoot();
  time_ms_ = ToUnixMillis(clock_.Wall());
  jump_.reset();
  if (row.has_value()) Continue(*row);
  return {};
}

void StoreClock::Continue(const v1::ClockRow& row) {
  const nanoseconds row_boot(row.boot_ns());
  if (row.jump_ms() > 0) jump_ = milliseconds(row.jump_ms());
  // A container may have its own CLOCK_BOOTTIME, which can be behind that of the row.
  if (row.boot_id() == boot_id_ && row_boot <= at_boot_) {
    time_ms_ = row.time_ms() + std::chrono::floor<milliseconds>(at_boot_ - row_boot).count();
  } else {
    time_ms_ = std::max(row.time_ms(), row.until_ms());
    const milliseconds ahead(ToUnixMillis(clock_.Wall()) - time_ms_);
    if (ahead > kMaxStep) jump_ = ahead;
  }
  Advance();
}

int64_t StoreClock::Advance() const {
  const nanoseconds boot = clock_.SinceBoot();
  const int64_t now_ms = time_ms_ + std::chrono::floor<milliseconds>(boot - at_boot_).count();
  const int64_t wall_ms = ToUnixMillis(clock_.Wall());
  const milliseconds ahead(wall_ms - now_ms);
  if (jump_.has_value() && std::chrono::abs(ahead) <= kMaxStep) jump_.reset();
  if (ahead <= milliseconds(0) || ahead > kMaxStep) return now_ms;
  time_ms_ = wall_ms;
  at_boot_ = boot;
  return wall_ms;
}

v1::ClockRow StoreClock::Row(milliseconds next) const {
  MutexLock lock(mutex_);
  v1::ClockRow row;
  row.set_time_ms(Advance());
  // The moment at which this millisecond began. So Continue() computes the times that this process
  // would have returned.
  row.set_boot_ns((at_boot_ + milliseconds(row.time_ms() - time_ms_)).count());
  row.set_boot_id(boot_id_);
  row.set_until_ms(row.time_ms() + next.count());
  row.set_jump_ms(jump_.has_value() ? jump_->count() : 0);
  return row;
}

Result<void> StoreClock::Save(MetaStore& meta, milliseconds next) {
  MutexLock turn(saving_);
  return Write(meta, Row(next));
}

Result<void> StoreClock::Accept(MetaStore& meta) {
  MutexLock turn(saving_);
  v1::ClockRow row = Row(kMaxSavePeriod);
  row.set_time_ms(std::max(row.time_ms(), ToUnixMillis(clock_.Wall())));
  row.set_until_ms(row.time_ms() + kMaxSavePeriod.count());
  row.set_jump_ms(0);
  TRY_VOID(Write(meta, row));
  MutexLock lock(mutex_);
  const nanoseconds passed = clock_.SinceBoot() - nanoseconds(row.boot_ns());
  const bool forward = row.time_ms() + std::chrono::floor<milliseconds>(passed).count() > Advance();
  if (forward) {
    time_ms_ = row.time_ms();
    at_boot_ = nanoseconds(row.boot_ns());
  }
  jump_.reset();
  return {};
}

int64_t StoreClock::NowMs() const {
  MutexLock lock(mutex_);
  return Advance();
}

std::optional<milliseconds> StoreClock::Jump() const {
  MutexLock lock(mutex_);
  Advance();
  return jump_;
}

milliseconds StoreClock::WallDifference() const {
  MutexLock lock(mutex_);
  const int64_t now_ms = Advance();
  return milliseconds(ToUnixMillis(clock_.Wall()) - now_ms);
}

}  // namespace outport::store
