#include "registry/base/repeated_failure.h"

#include <utility>

namespace outport {

bool RepeatedFailure::Record(const Result<void>& attempt, Log::Fields fields) {
  std::optional<std::string> reason;
  if (!attempt.has_value()) reason = attempt.error().message;
  std::optional<std::string> before;
  {
    MutexLock lock(mutex_);
    before = std::exchange(reason_, reason);
    if (parts_.failing != nullptr) parts_.failing->Set(reason.has_value() ? 1 : 0);
  }
  if (!reason.has_value()) {
    if (before.has_value() && !parts_.recovered.empty()) parts_.log.Info(parts_.recovered, fields);
    return false;
  }
  if (parts_.failures != nullptr) parts_.failures->Increment();
  if (reason == before) return false;
  parts_.log.With({{"error", *reason}}).Write(parts_.level, parts_.failed, fields);
  return true;
}

std::optional<std::string> RepeatedFailure::Reason() const {
  MutexLock lock(mutex_);
  return reason_;
}

}  // namespace outport
