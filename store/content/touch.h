#pragma once

#include "registry/base/result.h"
#include "store/content/repository_content.h"

namespace outport::store {

// The answers to a HEAD by a client that may push. The client may then refer to the content without
// pushing it, so the collector must keep the content for some time: both functions renew the lease
// before they return.
//
// Both functions also write the lease while the store rejects pushes because its disk has reached
// the headroom: the client may push when there is space again. The headroom is there for such small
// writes, of which there is at most one for each half of a lease.
//
// While the metadata is read-only, no lease can be written. Then both functions return the content
// with lease_left_ms 0, because callers that may push also pull, and pulls go on. The collector
// removes nothing until the store restarts, and a push before that gets the store's error.
//
// Both functions return the errors of Blobs::Stat() and Manifests::Stat(). They block.
Result<Blobs::Touched> TouchBlob(Content& content, const RepositoryName& repository,
                                 const Digest& digest);
Result<Manifests::Touched> TouchManifest(Content& content, const RepositoryName& repository,
                                         const Reference& reference);

}  // namespace outport::store
