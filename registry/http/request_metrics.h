#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <optional>

#include "registry/base/metrics.h"
#include "registry/http/api/route.h"

namespace outport::http {

// The metrics of requests. The number of series is bounded: labels are methods, routes and status
// classes, and never names of users or repositories. Safe for all threads. Takes no lock once a
// series exists.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics);

  // Counts a request and records its duration. `noun` is nullopt if the server rejected the request
  // before it parsed the path.
  void Record(Method method, std::optional<Noun> noun, int status,
              std::chrono::steady_clock::duration took);
  void RecordBytes(uint64_t received, uint64_t sent);
  void RecordHandshakeFailure() { handshake_failures_.Increment(); }
  void RecordTruncation() { truncated_.Increment(); }
  void RecordRevocation() { revoked_.Increment(); }

 private:
  static constexpr size_t kMethods = 7;
  static constexpr size_t kRoutes = kNouns + 1;
  static constexpr size_t kClasses = 6;

  Metrics& metrics_;
  std::array<std::atomic<prometheus::Counter*>, kMethods * kRoutes * kClasses> requests_{};
  std::array<std::atomic<prometheus::Histogram*>, kRoutes> durations_{};
  prometheus::Counter& received_bytes_;
  prometheus::Counter& sent_bytes_;
  prometheus::Counter& handshake_failures_;
  prometheus::Counter& truncated_;
  prometheus::Counter& revoked_;
};

}  // namespace outport::http
