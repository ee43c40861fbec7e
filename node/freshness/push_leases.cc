#include "node/freshness/push_leases.h"

namespace outport::node {

void PushLeases::BeginEpoch(const std::string& epoch) {
  MutexLock lock(mutex_);
  if (epoch == store_epoch_) return;
  store_epoch_ = epoch;
  leases_.EraseIf([&epoch](const Lease& lease) { return lease.epoch != epoch; });
}

void PushLeases::Record(const std::string& epoch, const ResolveQuestion& content,
                        std::chrono::nanoseconds asked, std::chrono::milliseconds left) {
  const Lease lease{.epoch = epoch, .half = asked + left / 2};
  MutexLock lock(mutex_);
  if (!store_epoch_.empty() && epoch != store_epoch_) return;
  leases_.At(content) = lease;
}

bool PushLeases::Covers(const std::string& epoch, const ResolveQuestion& content) {
  MutexLock lock(mutex_);
  const Lease* lease = leases_.Find(content);
  return lease != nullptr && lease->epoch == epoch && clock_.SinceBoot() < lease->half;
}

}  // namespace outport::node
