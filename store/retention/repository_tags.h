#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/retention/evaluation.h"

namespace outport::store {

// A policy must compare all tags of a repository. In a repository with more tags all of them stay.
inline constexpr size_t kMaxTagsOfRepository = 200'000;

// Reads what a policy must know about the tags of a repository, in byte order of their names. Finds
// the last pulls only if `with_pulls`. nullopt if the repository has more than
// kMaxTagsOfRepository tags. Blocks.
Result<std::optional<std::vector<TagFacts>>> ReadTagFacts(const MetaView& view,
                                                          const RepositoryName& repository,
                                                          bool with_pulls);

// Returns whether the tag is that of a referrer whose subject is in the repository: its manifest
// `digest` has a subject, or its name has the digest of one, as the name of a signature has.
// Blocks.
Result<bool> HasSubject(const MetaView& view, const RepositoryName& repository, const Tag& tag,
                        const Digest& digest);

}  // namespace outport::store
