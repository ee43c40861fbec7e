#pragma once

#include <optional>
#include <string>

#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"

namespace outport {

// The failure of a task that is retried. Each failure is counted, but a failure is logged only if
// its reason differs from that of the attempt before. A success clears it.
//
//   RepeatedFailure failure({.log = log, .failed = "audit file write failed"});
//   failure.Record(Export());  // after each attempt
//
// Safe for several threads; does not block.
class RepeatedFailure {
 public:
  struct Parts {
    Log log;
    std::string failed;          // the log message of a failure; its reason is the field `error`
    std::string recovered = {};  // the log message of the first success after it; empty: none
    LogLevel level = LogLevel::kError;
    prometheus::Counter* failures = nullptr;  // counts failed attempts
    prometheus::Gauge* failing = nullptr;     // 1 from a failure to the next success
  };
  explicit RepeatedFailure(Parts parts) : parts_(std::move(parts)) {}

  // Records the result of an attempt; `fields` go into the log message. Returns true if this
  // failure is logged: the attempt before succeeded, or failed for another reason.
  bool Record(const Result<void>& attempt, Log::Fields fields = {});

  // Why the last attempt failed; nullopt if it succeeded.
  std::optional<std::string> Reason() const;

 private:
  const Parts parts_;
  mutable Mutex mutex_;
  std::optional<std::string> reason_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
