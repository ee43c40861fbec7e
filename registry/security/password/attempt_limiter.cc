#include "registry/security/password/attempt_limiter.h"

#include <algorithm>
#include <cmath>

namespace outport {
namespace {

using std::chrono::seconds;

}  // namespace

void AttemptLimiter::FailureScore::Add(double free, Time now) {
  const std::chrono::duration<double> passed = now - at;
  amount = std::max(0.0, amount - passed / kForgivenessPeriod) + 1;
  at = now;
  if (amount <= free) return;
  const double pause = std::min(std::exp2(amount - free - 1), double{kMaxPause.count()});
  paused_until = now + std::chrono::duration_cast<Time>(std::chrono::duration<double>(pause));
}

seconds AttemptLimiter::Pause(const Attempt& attempt, Time now) {
  Time until{0};
  if (const FailureScore* known = known_.Find(Key(attempt))) {
    until = known->paused_until;
  } else {
    if (const FailureScore* origin = origins_.Find(attempt.origin)) until = origin->paused_until;
    if (const FailureScore* user = users_.Find(attempt.user))
      until = std::max(until, user->paused_until);
  }
  return until <= now ? seconds(0) : std::chrono::ceil<seconds>(until - now);
}

void AttemptLimiter::RecordFailure(const Attempt& attempt, Time now) {
  if (FailureScore* known = known_.Find(Key(attempt))) {
    known->Add(kFreeFailuresPerOrigin, now);
    return;
  }
  origins_.At(attempt.origin).Add(kFreeFailuresPerOrigin, now);
  users_.At(attempt.user).Add(kFreeFailuresPerUser, now);
}

void AttemptLimiter::RecordSuccess(const Attempt& attempt) {
  known_.At(Key(attempt)) = FailureScore{};
}

}  // namespace outport
