#pragma once

#include "registry/base/result.h"
#include "store/content/repository_content.h"

namespace outport::store {

// The answers to a HEAD by a client that may push. The client may then refer to the content without
// pushing it, so the collector must keep the content for some time: both functions renew the lease
// before they return.
//
// While the store rejects pushes, because its disk is full or its metadata is read-only, both
// functions write nothing, and return the content with lease_left_ms 0. Callers that may push also
// pull, and pulls go on without free space. The answer promises little, but the push that follows
// gets the store's error anyway.
//
// Both functions return the errors of Blobs::Stat() and Manifests::Stat(). They block.
Result<Blobs::Touched> TouchBlob(Content& content, const RepositoryName& repository,
                                 const Digest& digest);
Result<Manifests::Touched> TouchManifest(Content& content, const RepositoryName& repository,
                                         const Reference& reference);

}  // namespace outport::store
