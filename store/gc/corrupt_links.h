#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "store/gc/content_key.h"

namespace outport::store {

// The links that the collector does not remove by itself because a row is corrupt. They stay at
// the front of the queue. Without this memory, each look at the queue would log them, and each hour
// would get a run that removes nothing. A value type.
class CorruptLinks {
 public:
  static constexpr size_t kMost = 10'000;             // the collector tries more of them each time
  static constexpr int64_t kRetryMs = 24 * 3600'000;  // an administrator may repair the metadata

  // Takes the links of this memory out of `links`. Forgets all of them once in kRetryMs.
  void RemoveFrom(std::vector<QueuedLink>& links, int64_t now_ms) {
    if (now_ms >= forget_ms_) keys_.clear();
    std::erase_if(links, [this](const QueuedLink& link) { return keys_.contains(KeyOf(link)); });
  }
  void Add(const std::vector<QueuedLink>& links, int64_t now_ms) {
    for (const QueuedLink& link : links) {
      if (keys_.empty()) forget_ms_ = now_ms + kRetryMs;
      if (keys_.size() < kMost) keys_.insert(KeyOf(link));
    }
  }
  void Clear() { keys_.clear(); }
  size_t size() const { return keys_.size(); }

 private:
  std::set<std::string> keys_;  // of the queue
  int64_t forget_ms_ = 0;
};

}  // namespace outport::store
