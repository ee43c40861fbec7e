#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/replica/replica.h"
#include "registry/oci/name.h"
#include "registry/service/registry.h"

namespace outport::node {

// Reads the rows of the generation that serves. Each method reads at one moment: what it returns is
// the store's state at one point of its log. Safe for several threads; every method may block.
class ReplicaRows {
 public:
  explicit ReplicaRows(MetaStore& meta) : meta_(meta) {}

  // What the store would have said where the replica stands: `head` of the answer is that point.
  // kNameInvalid, kTagInvalid, kDigestInvalid for a question that the store would refuse.
  Result<v1::ResolveResponse> Answer(const v1::ResolveRequest& request) const;
  Result<std::optional<v1::ManifestRow>> FindManifest(const RepositoryName& repository,
                                                      const Digest& digest) const;
  struct Tags {
    std::vector<std::string> names;
    bool repository_known = false;
    v1::Position position;  // the state at exactly this point
  };
  // Names greater than `after` in byte order, at most `limit`.
  Result<Tags> ListTags(const RepositoryName& repository, const std::string& after,
                        size_t limit) const;
  // Those that begin with `prefix`.
  Result<std::vector<std::string>> ListRepositories(const std::string& prefix,
                                                    const std::string& after, size_t limit) const;
  // As a ReferrerScan wants them.
  Result<std::vector<ReferrerInfo>> ListReferrers(const RepositoryName& repository,
                                                  const Digest& subject,
                                                  const std::string& after) const;

 private:
  // The rows and the point they stand at are one commit, so they are read from one view: what
  // Replica::position() says moves a little later.
  struct View {
    std::unique_ptr<MetaView> meta;
    v1::ReplicaRow replica;

    Result<std::optional<std::string>> Get(const std::string& key) const;
  };
  Result<View> Open() const;
  static Result<void> LookUp(const View& view, const RepositoryName& repository,
                             const v1::ResolveRequest& request, v1::ResolveResponse& answer);
  // The rows of `range`, whose keys, there and in what is returned, are those behind `section`.
  static Result<std::vector<KeyValue>> List(const View& view, const std::string& section,
                                            ScanRange range);

  MetaStore& meta_;
};

}  // namespace outport::node
