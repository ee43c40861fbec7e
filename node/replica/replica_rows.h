#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/replica/replica.h"
#include "registry/oci/name.h"
#include "registry/oci/referrer.h"
#include "registry/records/content_rows.h"

namespace outport::node {

// Reads the rows of the serving generation. Each method reads one view, so its result is the
// store's state at one position. Safe for several threads; every method may block.
class ReplicaRows {
 public:
  explicit ReplicaRows(MetaStore& meta) : meta_(meta) {}

  struct Answer {
    ResolveAnswer answer;
    v1::Position position;  // the answer is the store's state at exactly this position
  };
  // Returns the answer that the store would have given at the replica's position.
  Result<Answer> Resolve(const ResolveQuestion& question) const;
  Result<std::optional<v1::ManifestRow>> FindManifest(const RepositoryName& repository,
                                                      const Digest& digest) const;
  struct Tags {
    std::vector<std::string> names;
    bool repository_known = false;
    v1::Position position;
  };
  // Returns at most `limit` tags greater than `after`, in byte order.
  Result<Tags> ListTags(const RepositoryName& repository, const std::string& after,
                        size_t limit) const;
  // Returns at most `limit` repositories that begin with `prefix` and are greater than `after`, in
  // byte order.
  Result<std::vector<std::string>> ListRepositories(const std::string& prefix,
                                                    const std::string& after, size_t limit) const;
  // Returns the referrers for one step of a ReferrerScan.
  Result<std::vector<ReferrerInfo>> ListReferrers(const RepositoryName& repository,
                                                  const Digest& subject,
                                                  const std::string& after) const;

 private:
  // The rows and their position, from one view: one commit writes both. Replica::position() moves a
  // little later.
  struct View {
    std::unique_ptr<MetaView> meta;
    v1::Position position;
    ContentRows rows;
  };
  Result<View> Open() const;

  MetaStore& meta_;
};

}  // namespace outport::node
