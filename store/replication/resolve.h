#pragma once

#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/content/repository_content.h"

namespace outport::store {

// Answers a node's question from one view, so the answer is the store's state at exactly the
// answer's `head`. Returns kNameInvalid, kTagInvalid, kDigestInvalid or kInvalidArgument for a
// malformed question. Blocks.
Result<v1::ResolveResponse> Resolve(MetaStore& meta, const std::string& epoch,
                                    const v1::ResolveRequest& request);

// Answers a question with `touch`. First renews the lease of the content, then answers as Resolve()
// does, with lease_left_ms. Without free disk space, lease_left_ms is 0 (store/content/touch.h). A
// link to a blob whose bytes are in quarantine counts as absent, so that the client pushes the
// bytes. Blocks.
Result<v1::ResolveResponse> TouchAndResolve(Content& content, const std::string& epoch,
                                            const v1::ResolveRequest& request);

// Reads a manifest. Returns kManifestUnknown if the repository does not have it, and kCorrupt if
// its bytes are missing or do not match the digest. Blocks.
Result<v1::GetManifestResponse> ReadManifest(MetaStore& meta,
                                             const v1::GetManifestRequest& request);

v1::Position ToPosition(const std::string& epoch, const LogPosition& position);

}  // namespace outport::store
