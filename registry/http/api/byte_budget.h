#pragma once

#include <atomic>
#include <cstdint>

#include "registry/base/metrics.h"

namespace outport::http {

// Limits the bytes that all requests together keep in memory for one purpose. No request waits for
// free bytes. If too few bytes are free, the server rejects the request, and the client retries.
// Only small shares may use the last quarter of the budget, so that a few large requests that stall
// do not block small requests. Safe for all threads.
class ByteBudget {
 public:
  // Exports the metrics "<name>_bytes" (bytes in use) and "<name>_rejections_total".
  ByteBudget(uint64_t limit_bytes, Metrics& metrics, const std::string& name,
             const std::string& what);

  uint64_t limit_bytes() const { return limit_bytes_; }
  void CountRejection() { rejections_.Increment(); }

  // The bytes that one request has reserved. The destructor releases the bytes. For one strand.
  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    ~Share() { budget_.Release(bytes_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Sets the size of the share. If the budget has too few free bytes, returns false and keeps the
    // old size. A reduction always succeeds.
    bool Resize(uint64_t bytes);
    // Like Resize(bytes), with a lower limit: also returns false if the shares of all requests
    // would then have more than `most_bytes` in sum.
    bool Resize(uint64_t bytes, uint64_t most_bytes);
    uint64_t bytes() const { return bytes_; }

   private:
    ByteBudget& budget_;
    uint64_t bytes_ = 0;
  };

 private:
  bool Reserve(uint64_t bytes, uint64_t most_bytes);
  void Release(uint64_t bytes);

  const uint64_t limit_bytes_;
  std::atomic<uint64_t> reserved_ = 0;
  prometheus::Gauge& reserved_gauge_;
  prometheus::Counter& rejections_;
};

}  // namespace outport::http
