#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/replica.h"
#include "registry/oci/name.h"

namespace outport::node {

// Reads the rows of the generation that serves. Safe for several threads; every method may block.
class ReplicaRows {
 public:
  ReplicaRows(const MetaStore& meta, const Replica& replica) : meta_(meta), replica_(replica) {}

  Result<bool> HasRepository(const RepositoryName& repository) const;
  Result<std::optional<v1::TagRow>> FindTag(const RepositoryName& repository, const Tag& tag) const;
  Result<std::optional<v1::ManifestRow>> FindManifest(const RepositoryName& repository,
                                                      const Digest& digest) const;
  Result<std::optional<v1::LinkRow>> FindLink(const RepositoryName& repository,
                                              const Digest& digest) const;
  // Names greater than `after` in byte order, at most `limit`.
  Result<std::vector<std::string>> ListTags(const RepositoryName& repository,
                                            const std::string& after, size_t limit) const;
  Result<std::vector<std::string>> ListRepositories(const std::string& after, size_t limit) const;

 private:
  Result<std::optional<std::string>> Get(const std::string& key) const;
  Result<std::vector<std::string>> List(const std::string& prefix, const std::string& after,
                                        size_t limit) const;

  const MetaStore& meta_;
  const Replica& replica_;
};

}  // namespace outport::node
