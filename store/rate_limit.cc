#include "store/rate_limit.h"

#include <algorithm>

namespace outport::store {

RateLimit::RateLimit(const Clock& clock, Options options)
    : clock_(clock), options_(options), all_{options.all.burst, clock.SinceBoot()} {}

void RateLimit::Fill(Bucket& bucket, const Rate& rate, std::chrono::nanoseconds now) {
  const std::chrono::duration<double> passed = now - bucket.filled;
  bucket.tokens = std::min(rate.burst, bucket.tokens + passed.count() * rate.per_second);
  bucket.filled = now;
}

bool RateLimit::Admit(const std::string& address) {
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  MutexLock lock(mutex_);
  Fill(all_, options_.all, now);
  const auto found = index_.find(address);
  if (found == index_.end()) {
    recent_.push_front({address, {options_.each.burst, now}});
    index_.emplace(address, recent_.begin());
    if (index_.size() > options_.addresses) {
      index_.erase(recent_.back().address);
      recent_.pop_back();
    }
  } else {
    recent_.splice(recent_.begin(), recent_, found->second);
  }
  Bucket& own = recent_.front().bucket;
  Fill(own, options_.each, now);
  if (own.tokens < 1 || all_.tokens < 1) return false;
  own.tokens -= 1;
  all_.tokens -= 1;
  return true;
}

}  // namespace outport::store
