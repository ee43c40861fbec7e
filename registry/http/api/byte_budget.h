#pragma once

#include <atomic>
#include <cstdint>

#include "registry/base/metrics.h"

namespace outport::http {

// A limit on the bytes that all requests together hold in memory for one purpose. Nothing waits for
// free bytes: a request that gets none is rejected, and its client retries. The last quarter is
// reserved for small shares, so that a few large requests that stall do not block small ones. Safe
// for all threads.
class ByteBudget {
 public:
  // Exports the metrics "<name>_bytes" (bytes in use) and "<name>_rejections_total".
  ByteBudget(uint64_t limit_bytes, Metrics& metrics, const std::string& name,
             const std::string& what);

  uint64_t limit_bytes() const { return limit_bytes_; }
  void CountRejection() { rejections_.Increment(); }

  // The bytes that one request has reserved. Its destructor releases them. For one strand.
  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    ~Share() { budget_.Release(bytes_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Sets the size. Returns false, and changes nothing, if the budget has too few free bytes. A
    // smaller size is always possible.
    bool Resize(uint64_t bytes);
    // Does so only if all shares together then hold at most `most_bytes`.
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
