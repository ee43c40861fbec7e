#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/lru_map.h"
#include "registry/base/mutex.h"

namespace outport::store {

// Remembers how much of an object this process has written, or has read and found intact, in the
// last 24 hours. Keeps the objects that were used last. Safe for all threads.
class CheckedObjects {
 public:
  struct Checked {
    uint64_t size_bytes = 0;           // from the first byte on
    std::chrono::nanoseconds begun{};  // since boot
  };
  explicit CheckedObjects(const Clock& clock) : clock_(clock) {}

  // Returns no bytes, and now as their beginning, for an object that it does not remember.
  Checked Of(const std::string& object) {
    const std::chrono::nanoseconds now = clock_.SinceBoot();
    MutexLock lock(mutex_);
    const Checked* checked = objects_.Find(object);
    if (checked == nullptr || now - checked->begun > kTrustedFor) return {0, now};
    return *checked;
  }
  void Remember(const std::string& object, const Checked& checked) {
    MutexLock lock(mutex_);
    objects_.At(object) = checked;
  }

 private:
  static constexpr std::chrono::hours kTrustedFor{24};
  static constexpr size_t kObjects = 20'000;

  const Clock& clock_;
  Mutex mutex_;
  LruMap<std::string, Checked> objects_ OUTPORT_GUARDED_BY(mutex_){kObjects};
};

}  // namespace outport::store
