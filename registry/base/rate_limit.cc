#include "registry/base/rate_limit.h"

#include <algorithm>

namespace outport {
namespace {

// Keeps the wait of a slow rate within the range of its type.
constexpr std::chrono::duration<double> kLongestWait = std::chrono::hours(24);

}  // namespace

RateLimit::RateLimit(const Clock& clock, Options options)
    : clock_(clock),
      options_(options),
      all_{options.all.burst, clock.SinceBoot()},
      buckets_(options.keys) {}

void RateLimit::Fill(Bucket& bucket, const Rate& rate, std::chrono::nanoseconds now) {
  const std::chrono::duration<double> passed = now - bucket.filled;
  bucket.tokens = std::min(rate.burst, bucket.tokens + passed.count() * rate.per_second);
  bucket.filled = now;
}

std::chrono::nanoseconds RateLimit::WaitFor(double tokens, const Bucket& bucket, const Rate& rate) {
  const double missing = tokens - bucket.tokens;
  if (missing <= 0) return {};
  if (rate.per_second <= 0) return std::chrono::ceil<std::chrono::nanoseconds>(kLongestWait);
  const std::chrono::duration<double> wait(missing / rate.per_second);
  return std::chrono::ceil<std::chrono::nanoseconds>(std::min(wait, kLongestWait));
}

bool RateLimit::Admit(const std::string& key) {
  return Reserve(key, 1, std::chrono::nanoseconds(0)).granted;
}

RateLimit::Reservation RateLimit::Reserve(const std::string& key, double tokens,
                                          std::chrono::nanoseconds max_wait) {
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  MutexLock lock(mutex_);
  Fill(all_, options_.all, now);
  Bucket* known = buckets_.Find(key);
  Bucket& own = known != nullptr ? *known : buckets_.At(key);
  if (known == nullptr) own = {options_.each.burst, now};
  Fill(own, options_.each, now);
  const double taken = std::min({tokens, options_.each.burst, options_.all.burst});
  const auto wait =
      std::max(WaitFor(taken, own, options_.each), WaitFor(taken, all_, options_.all));
  const Reservation reservation{.granted = wait <= max_wait, .wait = wait};
  if (!reservation.granted) return reservation;
  own.tokens -= taken;
  all_.tokens -= taken;
  return reservation;
}

}  // namespace outport
