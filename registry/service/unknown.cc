#include "registry/service/unknown.h"

namespace outport {

Error UnknownRepository(const RepositoryName& repository) {
  return Error{ErrorCode::kNameUnknown,
               "there is no repository '" + repository.ToString() + "'; a push creates it",
               {repository.ToString()}};
}

Error UnknownManifest(const RepositoryName& repository, const Reference& reference) {
  return Error{ErrorCode::kManifestUnknown,
               "there is no manifest " + ToString(reference) + " in " + repository.ToString(),
               {ToString(reference)}};
}

Error UnknownBlob(const RepositoryName& repository, const Digest& digest) {
  return Error{ErrorCode::kBlobUnknown,
               "there is no blob " + digest.ToString() + " in " + repository.ToString(),
               {digest.ToString()}};
}

}  // namespace outport
