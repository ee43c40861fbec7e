#pragma once

#include <optional>
#include <string>

#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"

namespace outport {

// Reports the failures of a task that the program retries. Counts every failure. Logs a failure
// only if the previous attempt succeeded or failed for another reason.
//
//   RepeatedFailure failure({.log = log, .failed = "audit file write failed"});
//   failure.Record(Export());  // after each attempt
//
// Safe for several threads; does not block.
class RepeatedFailure {
 public:
  struct Parts {
    Log log;
    std::string failed;          // the log message of a failure; the field `error` has the reason
    std::string recovered = {};  // the log message of the next success; empty: log none
    LogLevel level = LogLevel::kError;
    prometheus::Counter* failures = nullptr;  // counts failed attempts
    prometheus::Gauge* failing = nullptr;     // 1 from a failure to the next success
  };
  explicit RepeatedFailure(Parts parts) : parts_(std::move(parts)) {}

  // Records the result of an attempt. A log line about it contains `fields`. Returns true if this
  // call logged a failure.
  bool Record(const Result<void>& attempt, Log::Fields fields = {});

  // Why the last attempt failed; nullopt if it succeeded.
  std::optional<std::string> Reason() const;

 private:
  const Parts parts_;
  mutable Mutex mutex_;
  std::optional<std::string> reason_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
