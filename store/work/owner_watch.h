#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/work/owner.h"

namespace outport::store {

// Finds out, while this process runs, which other owners have ended. An expired lease alone is no
// proof: the owner may have been slow, or the store clock may have made a step. So an owner counts
// as ended only if its lease was expired at all looks for at least kMargin, and was not renewed in
// between. The time is CLOCK_BOOTTIME, so no step of a clock shortens it.
//
// For one thread at a time. The arguments outlive the OwnerWatch.
class OwnerWatch {
 public:
  static constexpr std::chrono::seconds kMargin{60};
  // The watch knows at most so many expired leases at a time. Other owners wait. The watch forgets
  // a lease that nobody asked about for kForget.
  static constexpr size_t kOwners = 1000;
  static constexpr std::chrono::minutes kForget{60};

  OwnerWatch(MetaStore& meta, const Owner& owner, const Clock& clock)
      : meta_(meta), owner_(owner), clock_(clock) {}

  // Returns whether the process with this id has ended. Each call is a look, so call it repeatedly.
  // This process, and an empty id, have not ended: a start settles work without an owner. Blocks.
  Result<bool> HasEnded(const std::string& id);

 private:
  // A lease that is expired, or that has no row.
  struct Expired {
    int64_t until_ms = 0;  // 0: no row
    std::chrono::nanoseconds since{0};
    std::chrono::nanoseconds looked{0};
  };
  bool MakeRoom(std::chrono::nanoseconds now);

  MetaStore& meta_;
  const Owner& owner_;
  const Clock& clock_;
  std::map<std::string, Expired> expired_;
};

}  // namespace outport::store
