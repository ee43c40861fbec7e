#pragma once

#include <optional>
#include <string>

#include "node/freshness/age_rule.h"
#include "node/freshness/resolver.h"
#include "node/replica/replica_rows.h"
#include "registry/base/blocking_pool.h"

namespace outport::node {

// Lists of tags, repositories and referrers from the replica. Where it is not fresh, or behind an
// answer that was shown, the store is asked for its head and the list waits until the replica has
// passed it; if that cannot be, the policy decides. What was shown of single keys since counts in
// either case. Callable from any strand.
class MirrorCatalog {
 public:
  struct Parts {
    Replica& replica;
    const ReplicaRows& rows;
    const AgeRule& age;
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
  // What the replica's answer is then to be called.
  struct Settled {
    std::optional<Staleness> stale = std::nullopt;
    bool level = false;                        // it has what the store had when this request came
    std::optional<Error> away = std::nullopt;  // why the store could not be asked
  };
  // Until the replica may answer.
  net::awaitable<Result<Settled>> Settle(const Caller& caller);
  struct Tags {
    std::vector<std::string> names;  // one more than the page takes, if there are more
    bool repository_known = false;
  };
  net::awaitable<Result<Tags>> ReadTags(RepositoryName repository, PageRequest page);
  // Until the replica has passed the head that the store has now; kUnavailable if that fails.
  net::awaitable<Result<void>> CatchUp(std::string request_id);

  const Parts parts_;
};

}  // namespace outport::node
