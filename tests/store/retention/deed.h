#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/store/content/content_fixture.h"

namespace outport::store {

// Something that a client or an administrator does, and that may be interrupted. The store has no
// grace period, a lease of one hour, and a trash window of a day.
class Deed {
 public:
  virtual ~Deed() = default;
  // Nothing fails here.
  virtual void Prepare(TestContent& store) = 0;
  // Does it, until something fails, and remembers what was acknowledged.
  virtual void Do(TestContent& store) = 0;
  // Checks, after a restart, what was acknowledged, and that the deed can be done again.
  virtual void Check(TestContent& store) = 0;
};

// What happens at a fault point. After a failure of the disk the process goes on.
enum class Blow {
  kKill,        // of the process
  kPowerCut,    // loses everything that was not synced
  kTornFiles,   // a power cut that leaves half of the unsynced bytes
  kNoSpace,     // from then on every write fails
  kIoErrors,    // from then on every change fails
  kOneIoError,  // this change fails
};
inline constexpr Blow kBlows[] = {Blow::kKill,    Blow::kPowerCut, Blow::kTornFiles,
                                  Blow::kNoSpace, Blow::kIoErrors, Blow::kOneIoError};

// Does the deed on a new disk, with the blow at its fault point number `point` (0: without it).
// Restarts on a sound disk, checks the deed and all rows and files, and then removes everything:
// nothing may be left. Returns the number of fault points of the deed.
size_t DoAndRestart(Deed& deed, uint64_t point, Blow blow);

}  // namespace outport::store
