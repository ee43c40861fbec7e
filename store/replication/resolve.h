#pragma once

#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// What the store answers to a node's question, from one unchanging view: the answer is the state at
// exactly the `head` that comes with it. Block.
Result<v1::ResolveResponse> Resolve(MetaStore& meta, const std::string& epoch,
                                    const v1::ResolveRequest& request);

// kManifestUnknown if the repository has none such; kCorrupt if its bytes are not here, or others.
Result<v1::GetManifestResponse> ReadManifest(MetaStore& meta,
                                             const v1::GetManifestRequest& request);

v1::Position ToPosition(const std::string& epoch, const LogPosition& position);

}  // namespace outport::store
