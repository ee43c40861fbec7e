#pragma once

#include <atomic>
#include <cstdint>

#include "registry/base/metrics.h"

namespace outport::http {

// How many bytes may be in memory at once for one purpose, over all connections. Nobody waits for
// room: who finds none is refused, and comes again. The last quarter is for small shares alone: a
// few large ones that stall refuse nobody what is usual. Safe for all threads.
class ByteBudget {
 public:
  // Exports the metrics "<name>_bytes" (bytes in use) and "<name>_rejections_total".
  ByteBudget(uint64_t limit_bytes, Metrics& metrics, const std::string& name,
             const std::string& what);

  uint64_t limit_bytes() const { return limit_bytes_; }
  void CountRefusal() { refusals_.Increment(); }

  // What one request holds of the budget; given back when it goes. For one strand.
  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    ~Share() { budget_.Release(bytes_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // False, and nothing changes, if there is no room. A share can always be made smaller.
    bool Resize(uint64_t bytes);
    // The same, and all shares together stay within `most_bytes`.
    bool Resize(uint64_t bytes, uint64_t most_bytes);
    uint64_t bytes() const { return bytes_; }

   private:
    ByteBudget& budget_;
    uint64_t bytes_ = 0;
  };

 private:
  bool Take(uint64_t bytes, uint64_t most_bytes);
  void Release(uint64_t bytes);

  const uint64_t limit_bytes_;
  std::atomic<uint64_t> held_ = 0;
  prometheus::Gauge& held_bytes_;
  prometheus::Counter& refusals_;
};

}  // namespace outport::http
