#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"

namespace outport::store {

// The user and the repository of a push, for the log.
struct Pusher {
  std::string user = {};
  std::string repository = {};
  bool operator==(const Pusher&) const = default;
};

// The disk space that rejected pushes need. A push that is rejected adds its bytes, and the
// collector frees trash early for them. Safe for several threads; does not block.
//
// A client only states the bytes, and need not send them. So the largest demand counts, not the
// sum, and demands of more than a limit do not count at all. With headers alone, nobody makes the
// collector free more than it takes for this limit to be free besides the headroom.
class SpaceDemand {
 public:
  // The default limit. Nearly all layers are smaller.
  static constexpr uint64_t kMostBytes = uint64_t{4} << 30;
  // A rejected push counts for this time. A client that still wants to push has tried again by
  // then.
  static constexpr std::chrono::minutes kKept{10};
  // For this time after Refuse(), demands that are too large are ignored.
  static constexpr std::chrono::minutes kRefused{1};

  struct Demand {
    uint64_t bytes = 0;
    Pusher by = {};
  };

  // Ignores demands of more than `most_bytes`. `clock` outlives this object.
  explicit SpaceDemand(const Clock& clock, uint64_t most_bytes = kMostBytes)
      : clock_(clock), most_bytes_(most_bytes) {}

  // Sets the function that is called when a demand is new or has grown. An empty function calls
  // nothing. The function must not block, and must not call this object.
  void OnMore(std::function<void()> on_more);

  // Adds a rejected push that needs `bytes` besides the headroom.
  void Add(uint64_t bytes, const Pusher& by = {});
  // Returns the largest demand; nullopt if there is none.
  std::optional<Demand> Largest() const;
  // The disk has space for demands of at most `bytes`.
  void Satisfy(uint64_t bytes);
  // The disk cannot have space for demands of more than `most` bytes. A push that needs too much
  // must not hide others.
  void Refuse(uint64_t most);

 private:
  const Clock& clock_;
  const uint64_t most_bytes_;
  mutable Mutex mutex_;
  std::function<void()> on_more_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Demand> largest_ OUTPORT_GUARDED_BY(mutex_);
  std::chrono::nanoseconds until_ OUTPORT_GUARDED_BY(mutex_){0};  // when it ends, since boot
  std::optional<uint64_t> most_ OUTPORT_GUARDED_BY(mutex_);       // of the last Refuse()
  std::chrono::nanoseconds refused_until_ OUTPORT_GUARDED_BY(mutex_){0};
};

}  // namespace outport::store
