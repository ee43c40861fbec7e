#pragma once

#include <cstdint>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"
#include "store/content/stored_manifest.h"
#include "store/gc/content_key.h"

namespace outport::store {

// Returns whether a tag, an index of the repository or the subject's presence keeps the manifest.
// The transaction has locked the manifest. Blocks.
Result<bool> IsManifestReferenced(MetaTransaction& transaction, const ContentKey& content,
                                  const v1::ManifestRow& row);
// The same without locks and without deletions, for a plan.
Result<bool> IsManifestReferenced(const MetaView& view, const ContentKey& content,
                                  const v1::ManifestRow& row);

// Returns the time until which the collector keeps an unreferenced manifest: for the grace period,
// or for `keep_for_ms` if that is longer, and as long as its last touch keeps it.
int64_t KeptUntilMs(const v1::UntaggedRow& candidate, const v1::ManifestRow& row,
                    const CollectionTimes& times, int64_t keep_for_ms = 0);

}  // namespace outport::store
