#pragma once

#include "registry/base/error.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"

// The errors for content that does not exist. The store and the nodes give the same answer. The
// item of each error is the name that is unknown.
namespace outport {

Error UnknownRepository(const RepositoryName& repository);
Error UnknownManifest(const RepositoryName& repository, const Reference& reference);
Error UnknownBlob(const RepositoryName& repository, const Digest& digest);

}  // namespace outport
