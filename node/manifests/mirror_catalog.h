#pragma once

#include <optional>
#include <string>

#include "node/freshness/resolver.h"
#include "node/freshness/staleness_rule.h"
#include "node/replica/replica_rows.h"
#include "registry/base/blocking_pool.h"

namespace outport::node {

// Lists tags, repositories and referrers from the replica, by the table in
// node/freshness/staleness_rule.cc. To ask the store, a list asks for the store's head and waits
// until the replica has passed it. Answers of the overlay correct the list in each case. Callable
// from any strand.
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
  // How the replica may answer one request.
  struct Admission {
    std::optional<Staleness> stale = std::nullopt;  // to be shown with the list
    bool caught_up = false;  // it includes the store's head of after this request came
    std::optional<Error> unreachable = std::nullopt;  // why the node could not ask the store
  };
  // Waits until the replica may answer.
  net::awaitable<Result<Admission>> Admit(RequestKind request, const Caller& caller);
  struct Tags {
    std::vector<std::string> names;  // one more than fits on the page, if there are more
    bool repository_known = false;
  };
  net::awaitable<Result<Tags>> ReadTags(RepositoryName repository, PageRequest page);
  // Waits until the replica has passed the store's current head. kUnavailable if the store cannot
  // be reached, or after one second.
  net::awaitable<Result<void>> CatchUp(std::string request_id);

  const Parts parts_;
};

}  // namespace outport::node
