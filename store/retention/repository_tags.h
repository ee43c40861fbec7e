#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/content/pull_search.h"
#include "store/retention/evaluation.h"

namespace outport::store {

// A policy must compare all tags of a repository. In a repository with more tags all of them stay.
inline constexpr size_t kMaxTagsOfRepository = 200'000;

// Reads what a policy must know about the tags of a repository, in byte order of their names. Finds
// the last pulls if `pulls` is not null. nullopt if the repository has more than
// kMaxTagsOfRepository tags, or if `pulls` is exhausted. Blocks.
Result<std::optional<std::vector<TagFacts>>> ReadTagFacts(const MetaView& view,
                                                          const RepositoryName& repository,
                                                          PullSearch* pulls);

// Returns the subjects of a tag whose manifest is `digest`, whether or not the repository has them:
// the subject of the manifest, and the digest in a name such as that of a signature. While one of
// them is in the repository, no policy deletes the tag. Blocks.
Result<std::vector<Digest>> SubjectsOf(const MetaView& view, const RepositoryName& repository,
                                       const Tag& tag, const Digest& digest);

}  // namespace outport::store
