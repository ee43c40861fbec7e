#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "store/gc/parts.h"

namespace outport::store {

// The objects of freed blobs that the disk did not remove. No row names them any more, and none
// ever will, because each object has a name of its own. Each has an intent in the name of this
// process. Retry() removes objects and intents as soon as the disk does so. What is left when the
// process ends is removed by its next start.
//
// For one thread at a time.
class StuckObjects {
 public:
  // The purge frees no more blobs while there are so many.
  static constexpr size_t kMost = 256;
  static constexpr size_t kTries = 64;  // objects in one attempt
  static constexpr std::chrono::minutes kWait{1};

  // `parts` outlives this object.
  explicit StuckObjects(const CollectorParts& parts);

  // Logs why. Does not block.
  void Add(std::string object, const Error& why);
  bool IsFull() const { return objects_.size() >= kMost; }
  // Tries to remove the next kTries objects, if kWait has passed since the last attempt. Fails if
  // the metadata fail. Blocks.
  Result<void> Retry();

 private:
  Result<void> Forget(const std::vector<std::string>& removed);

  const CollectorParts& parts_;
  RepeatedFailure failure_;
  std::deque<std::string> objects_;  // those that were tried last are at the end
  int64_t next_ms_ = 0;              // the time of the next attempt
};

}  // namespace outport::store
