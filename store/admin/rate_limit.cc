#include "store/admin/rate_limit.h"

#include <algorithm>

namespace outport::store {

RateLimit::RateLimit(const Clock& clock, Options options)
    : clock_(clock),
      options_(options),
      all_{options.all.burst, clock.SinceBoot()},
      buckets_(options.addresses) {}

void RateLimit::Fill(Bucket& bucket, const Rate& rate, std::chrono::nanoseconds now) {
  const std::chrono::duration<double> passed = now - bucket.filled;
  bucket.tokens = std::min(rate.burst, bucket.tokens + passed.count() * rate.per_second);
  bucket.filled = now;
}

bool RateLimit::Admit(const std::string& address) {
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  MutexLock lock(mutex_);
  Fill(all_, options_.all, now);
  Bucket* known = buckets_.Find(address);
  Bucket& own = known != nullptr ? *known : buckets_.At(address);
  if (known == nullptr) own = {options_.each.burst, now};
  Fill(own, options_.each, now);
  if (own.tokens < 1 || all_.tokens < 1) return false;
  own.tokens -= 1;
  all_.tokens -= 1;
  return true;
}

}  // namespace outport::store
