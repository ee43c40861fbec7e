#include "store/content/space_demand.h"

#include <utility>

namespace outport::store {

void SpaceDemand::OnMore(std::function<void()> on_more) {
  MutexLock lock(mutex_);
  on_more_ = std::move(on_more);
}

void SpaceDemand::Add(uint64_t bytes, const Pusher& by) {
  if (bytes > most_bytes_) return;
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  MutexLock lock(mutex_);
  if (most_.has_value() && bytes > *most_ && now < refused_until_) return;
  if (now >= until_) largest_.reset();
  const bool more = !largest_.has_value() || bytes > largest_->bytes;
  if (more) largest_ = Demand{.bytes = bytes, .by = by};
  until_ = now + kKept;
  if (more && on_more_) on_more_();
}

std::optional<SpaceDemand::Demand> SpaceDemand::Largest() const {
  MutexLock lock(mutex_);
  return clock_.SinceBoot() < until_ ? largest_ : std::nullopt;
}

void SpaceDemand::Satisfy(uint64_t bytes) {
  MutexLock lock(mutex_);
  if (largest_.has_value() && largest_->bytes <= bytes) largest_.reset();
}

void SpaceDemand::Refuse(uint64_t most) {
  MutexLock lock(mutex_);
  if (largest_.has_value() && largest_->bytes > most) largest_.reset();
  most_ = most;
  refused_until_ = clock_.SinceBoot() + kRefused;
}

}  // namespace outport::store
