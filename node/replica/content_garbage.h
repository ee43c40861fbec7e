#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// Removes the bytes of manifests (content/<digest>) that no manifest row refers to any more. Goes
// in rounds: takes up a bounded number of digests, strikes out those that the rows refer to, and
// removes the rest, each in steps; rows may change between the steps, if what they come to refer to
// is told. One call at a time; blocks.
class ContentGarbage {
 public:
  explicit ContentGarbage(MetaStore& meta) : meta_(meta) {}

  // Begins a round with the next digests; false if there are none: the one after begins anew.
  Result<bool> Collect();
  // A row that refers to this digest was written.
  void Referred(const std::string& digest) { candidates_.erase(digest); }
  // A step of the round, by the rows of the generation that serves; false when it is over.
  Result<bool> Step(uint64_t generation);

 private:
  Result<void> StrikeOut();
  Result<void> Remove();

  MetaStore& meta_;
  std::string collected_;  // the key of the last one that was taken up
  std::set<std::string> candidates_;
  uint64_t generation_ = 0;  // whose rows are looked through
  std::string looked_at_;    // the key of the last one of them
  bool looked_at_all_ = false;
};

}  // namespace outport::node
