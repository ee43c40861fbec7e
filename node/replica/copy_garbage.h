#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// Names one copy of a blob in the node's cache: the row cached/<digest> that names this object.
struct CopyName {
  Digest digest;
  std::string object;
};

// Finds the copies of blobs (cached/<digest>) that no repository links: their links went in a
// snapshot, with a change of the node's scope, or before the node dropped the copy. A round
// collects a bounded number of candidates, and keeps those whose links it finds, in steps. Rows may
// change between the steps if the caller reports each new link with Linked(). One call at a time;
// blocks.
class CopyGarbage {
 public:
  explicit CopyGarbage(MetaStore& meta) : meta_(meta) {}

  // Begins a round with the next candidates. Returns false if no candidates are left; the call
  // after that starts from the first key.
  Result<bool> Collect();
  // Makes the round keep the copy. Call it when you write a link to the digest.
  void Linked(const std::string& digest) { candidates_.erase(digest); }
  // Looks at some links of `generation`, the one that answers requests. When it has seen all links,
  // returns the copies that none of them names, some in each call; until then returns an empty
  // list. Returns nullopt when the round has no candidates left.
  Result<std::optional<std::vector<CopyName>>> Step(uint64_t generation);

 private:
  Result<void> KeepLinked();
  Result<std::vector<CopyName>> TakeUnlinked();

  MetaStore& meta_;
  std::string collected_;                          // the key of the last candidate
  std::map<std::string, std::string> candidates_;  // digest and object
  uint64_t generation_ = 0;                        // the generation whose links this round scans
  std::string scanned_to_;                         // the key of the last scanned link
  bool scanned_all_ = false;
};

}  // namespace outport::node
