#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <optional>

#include "registry/base/metrics.h"
#include "registry/http/api/route.h"

namespace outport::http {

// What is counted of each request. The number of series is bounded: routes and status classes, no
// names. Safe for all threads; finds its series without a lock once they exist.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics);

  // `noun`: none where the request was refused before it was routed.
  void Record(Method method, std::optional<Noun> noun, int status,
              std::chrono::steady_clock::duration took);
  void RecordBytes(uint64_t received, uint64_t sent);
  void RecordHandshakeFailure() { handshake_failures_.Increment(); }
  void RecordCut() { cut_.Increment(); }
  void RecordRecall() { recalled_.Increment(); }

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
  prometheus::Counter& cut_;
  prometheus::Counter& recalled_;
};

}  // namespace outport::http
