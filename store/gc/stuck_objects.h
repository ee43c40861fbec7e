#pragma once

#include <atomic>
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
// process ends is removed by the next start of a process, and so are the objects beyond kMost, of
// which only the intents know.
//
// For one thread at a time, but stuck() is safe for several threads.
class StuckObjects {
 public:
  static constexpr size_t kMany = 256;  // hold up the purge while the disk removes nothing
  static constexpr size_t kMost = 8192;
  static constexpr size_t kTries = 64;  // objects in one attempt
  static constexpr std::chrono::minutes kWait{1};

  // `parts` outlives this object.
  explicit StuckObjects(const CollectorParts& parts);

  // Logs why. Does not block.
  void Add(std::string object, const Error& why);
  // Notes whether the disk has removed at least one object of the last batch. Does not block.
  void NoteBatch(bool removed);
  // Returns whether the purge must free no blobs now: there are kMany objects, and the disk has
  // removed none of the last batch. False once in kWait, so that one more batch shows whether the
  // disk removes other objects. Does not block.
  bool HoldsUp() const;
  // Returns how many objects the disk has refused to remove at least twice. Does not block.
  uint64_t stuck() const { return stuck_; }
  // Tries to remove the next kTries objects, if kWait has passed since the last attempt. Fails if
  // the metadata fail. Needs no lease: nobody else removes these objects. Blocks.
  Result<void> Retry();

 private:
  Result<void> Forget(const std::vector<std::string>& removed);

  const CollectorParts& parts_;
  RepeatedFailure failure_;
  struct Object {
    std::string name;
    bool is_retried = false;  // and the disk refused again
  };
  std::deque<Object> objects_;  // those that were tried last are at the end
  std::atomic<uint64_t> stuck_ = 0;
  int64_t next_ms_ = 0;           // the time of the next attempt
  bool removes_nothing_ = false;  // the disk, as of the last batch
  int64_t next_batch_ms_ = 0;     // when the purge may try another one then
};

}  // namespace outport::store
