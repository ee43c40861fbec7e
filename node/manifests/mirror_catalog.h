#pragma once

#include <optional>
#include <string>

#include "node/freshness/resolver.h"
#include "node/freshness/staleness_rule.h"
#include "node/replica/replica_rows.h"
#include "registry/base/blocking_pool.h"

namespace outport::node {

// Lists tags, repositories and referrers from the replica. The table in
// node/freshness/staleness_rule.cc decides when the replica may answer alone. Otherwise the catalog
// asks for the store's head, and waits until the replica has passed that head. In both cases, newer
// answers in the overlay correct the list. Callable from any strand.
class MirrorCatalog {
 public:
  struct Parts {
    Replica& replica;
    const ReplicaRows& rows;
    const StalenessRule& rule;
    Resolver& resolver;
    BlockingPool& pool;
  };
  explicit MirrorCatalog(Parts parts) : parts_(parts) {}

  net::awaitable<Result<Page>> ListTags(const Caller& caller, const RepositoryName& repository,
                                        const PageRequest& page);
  net::awaitable<Result<Page>> ListRepositories(const Caller& caller, const PageRequest& page,
                                                const Visible& visible);
  net::awaitable<Result<ReferrersPage>> ListReferrers(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      const Digest& subject,
                                                      const std::string& artifact_type,
                                                      const PageRequest& page);

 private:
  // The state of the replica for one request that it may answer.
  struct ReplicaState {
    std::optional<Staleness> stale = std::nullopt;  // the staleness to show with the list
    bool caught_up = false;  // the replica has passed the head read for this request
    std::optional<Error> unreachable = std::nullopt;  // why the node could not ask the store
  };
  // Waits until the replica may answer.
  net::awaitable<Result<ReplicaState>> PrepareReplica(RequestKind request, const Caller& caller);
  struct Tags {
    std::vector<std::string> names;  // has an extra name if there is a next page
    bool repository_known = false;
  };
  net::awaitable<Result<Tags>> ReadTags(RepositoryName repository, PageRequest page);
  // Waits until the replica has passed the store's current head. Returns kUnavailable if the store
  // is unreachable, or if the wait takes longer than one second.
  net::awaitable<Result<void>> CatchUp(std::string request_id);

  const Parts parts_;
};

}  // namespace outport::node
