#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// Removes the bytes of manifests (content/<digest>) that no manifest row refers to. A round
// collects a bounded number of candidates, drops those that a row refers to, and removes the rest,
// in steps. Rows may change between the steps if the caller reports each new reference with
// Referred(). One call at a time; blocks.
class ContentGarbage {
 public:
  explicit ContentGarbage(MetaStore& meta) : meta_(meta) {}

  // Begins a round with the next candidates. Returns false if no candidates are left; the call
  // after that starts from the first key.
  Result<bool> Collect();
  // Makes the round keep the bytes. Call it when you write a row that refers to the digest.
  void Referred(const std::string& digest) { candidates_.erase(digest); }
  // Looks at some of the collected candidates, and removes those that no row of `generation` refers
  // to. `generation` is the one that answers requests. Returns false when none is left.
  Result<bool> Step(uint64_t generation);

 private:
  Result<void> KeepReferenced();
  Result<void> Remove();

  MetaStore& meta_;
  std::string collected_;  // the key of the last candidate
  std::set<std::string> candidates_;
  uint64_t generation_ = 0;  // the generation whose rows this round scans
  std::string scanned_to_;   // the key of the last scanned row
  bool scanned_all_ = false;
};

}  // namespace outport::node
