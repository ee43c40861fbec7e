#include "store/content/space_demand.h"

#include <algorithm>
#include <utility>

namespace outport::store {

void SpaceDemand::OnMore(std::function<void()> on_more) {
  MutexLock lock(mutex_);
  on_more_ = std::move(on_more);
}

void SpaceDemand::Add(uint64_t bytes) {
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  MutexLock lock(mutex_);
  if (most_.has_value() && bytes > *most_ && now < refused_until_) return;
  if (now >= until_) bytes_.reset();
  const bool more = !bytes_.has_value() || bytes > *bytes_;
  bytes_ = std::max(bytes, bytes_.value_or(0));
  until_ = now + kKept;
  if (more && on_more_) on_more_();
}

std::optional<uint64_t> SpaceDemand::Largest() const {
  MutexLock lock(mutex_);
  return clock_.SinceBoot() < until_ ? bytes_ : std::nullopt;
}

void SpaceDemand::Satisfy(uint64_t bytes) {
  MutexLock lock(mutex_);
  if (bytes_ <= bytes) bytes_.reset();
}

void SpaceDemand::Refuse(uint64_t most) {
  MutexLock lock(mutex_);
  if (bytes_ > most) bytes_.reset();
  most_ = most;
  refused_until_ = clock_.SinceBoot() + kRefused;
}

}  // namespace outport::store
