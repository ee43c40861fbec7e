#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"

namespace outport::store {

// The disk space that rejected pushes need. A push that is rejected adds its bytes, and the
// collector frees trash early for them. Safe for several threads; does not block.
class SpaceDemand {
 public:
  // A rejected push counts for this time. A client that still wants to push has tried again by
  // then.
  static constexpr std::chrono::minutes kKept{10};
  // For this time after Refuse(), demands that are too large are ignored.
  static constexpr std::chrono::minutes kRefused{1};

  // `clock` outlives this object.
  explicit SpaceDemand(const Clock& clock) : clock_(clock) {}

  // Sets the function that is called when a demand is new or has grown. An empty function calls
  // nothing. The function must not block, and must not call this object.
  void OnMore(std::function<void()> on_more);

  // Adds a rejected push that needs `bytes` besides the headroom.
  void Add(uint64_t bytes);
  // Returns the largest demand; nullopt if there is none.
  std::optional<uint64_t> Largest() const;
  // The disk has space for demands of at most `bytes`.
  void Satisfy(uint64_t bytes);
  // The disk cannot have space for demands of more than `most` bytes. A push that needs too much
  // must not hide others.
  void Refuse(uint64_t most);

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  std::function<void()> on_more_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<uint64_t> bytes_ OUTPORT_GUARDED_BY(mutex_);
  std::chrono::nanoseconds until_ OUTPORT_GUARDED_BY(mutex_){0};  // when `bytes_` ends, since boot
  std::optional<uint64_t> most_ OUTPORT_GUARDED_BY(mutex_);       // of the last Refuse()
  std::chrono::nanoseconds refused_until_ OUTPORT_GUARDED_BY(mutex_){0};
};

}  // namespace outport::store
