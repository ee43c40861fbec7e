#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"
#include "store/gc/content_key.h"

namespace outport::store {

// The restore of links from the trash of a run. They come back condemned, because an undo restores
// links before the manifests that refer to them, with the last known pull of a manifest that did.
class LinkRestore {
 public:
  // Parses rows of the trash.
  static Result<LinkRestore> Parse(const std::vector<KeyValue>& rows);

  // Restores the links and their blobs, and takes them out of the trash. Counts them in `restored`.
  // Returns the number of links whose blob is gone. Blocks.
  Result<uint64_t> Run(MetaTransaction& transaction, const Collection& collection,
                       const Auditor& auditor, v1::RunCounts& restored) const;

 private:
  struct Link {
    ContentKey content;
    v1::PullRow pull;  // without a time: none is known
  };
  static Result<void> NotePull(MetaTransaction& transaction, const Link& link);

  // By the text of the digest, the order in which all transactions lock blobs, and by the key in
  // the trash.
  std::map<std::pair<std::string, std::string>, Link> links_;
};

}  // namespace outport::store
