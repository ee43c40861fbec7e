#include "node/replica/freshness.h"

namespace outport::node {
namespace {

// The maximum number of pongs that wait for the replica to apply their heads. When so many wait,
// new pongs are dropped: the replica reaches the heads of the older pongs first, and more pongs
// arrive all the time.
constexpr size_t kWaitingLimit = 64;

}  // namespace

Freshness::Freshness(const Clock& clock, int64_t proven_ms)
    : clock_(clock), restored_ms_(proven_ms) {}

void Freshness::RecordApplied(const std::string& epoch, uint64_t sequence) {
  MutexLock lock(mutex_);
  epoch_ = epoch;
  applied_ = sequence;
  Prove();
}

void Freshness::RecordPong(std::chrono::nanoseconds sent, const std::string& epoch, uint64_t head) {
  MutexLock lock(mutex_);
  if (sent > clock_.SinceBoot() || waiting_.size() >= kWaitingLimit) return;
  waiting_.push_back({sent, epoch, head});
  Prove();
}

void Freshness::Prove() {
  while (!waiting_.empty()) {
    const Pong& pong = waiting_.front();
    if (pong.epoch == epoch_) {
      if (pong.head > applied_) return;
      if (!proven_.has_value() || *proven_ < pong.sent) proven_ = pong.sent;
    }
    waiting_.pop_front();
  }
}

std::optional<std::chrono::nanoseconds> Freshness::Staleness() const {
  MutexLock lock(mutex_);
  if (proven_.has_value()) return clock_.SinceBoot() - *proven_;
  if (restored_ms_ == 0) return std::nullopt;
  const auto age = clock_.Wall() - FromUnixMillis(restored_ms_);
  if (age < age.zero()) return std::nullopt;  // the wall clock went back: the age is unknown
  return std::chrono::duration_cast<std::chrono::nanoseconds>(age);
}

int64_t Freshness::ProvenMillis() const {
  MutexLock lock(mutex_);
  if (!proven_.has_value()) return restored_ms_;
  const auto age = clock_.SinceBoot() - *proven_;
  return ToUnixMillis(clock_.Wall()) -
         std::chrono::duration_cast<std::chrono::milliseconds>(age).count() - 1;
}

}  // namespace outport::node
