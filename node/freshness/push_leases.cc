#include "node/freshness/push_leases.h"

namespace outport::node {

void PushLeases::Record(const std::string& epoch, const ResolveQuestion& content,
                        std::chrono::nanoseconds asked, std::chrono::milliseconds left) {
  const Lease lease{.epoch = epoch, .half = asked + left / 2};
  MutexLock lock(mutex_);
  leases_.At(content) = lease;
}

bool PushLeases::Covers(const std::string& epoch, const ResolveQuestion& content) {
  MutexLock lock(mutex_);
  const Lease* lease = leases_.Find(content);
  return lease != nullptr && lease->epoch == epoch && clock_.SinceBoot() < lease->half;
}

}  // namespace outport::node
