#pragma once

#include <functional>
#include <optional>
#include <string>

#include "node/age_rule.h"
#include "node/replica_rows.h"
#include "node/resolver.h"
#include "registry/base/blocking_pool.h"

namespace outport::node {

// Lists of tags and repositories from the replica. Where it is not fresh, or behind an answer that
// was shown, the store is asked for its head and the list waits until the replica has passed it; if
// that cannot be, the policy decides. What was shown of single keys since counts in either case.
// Callable from any strand.
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
  net::awaitable<Result<Page>> ListRepositories(
      const Caller& caller, const PageRequest& page,
      const std::function<bool(const RepositoryName&)>& visible);

 private:
  using MaybeStale = std::optional<Staleness>;

  // Until the replica may answer; how old its answer is then to be called.
  net::awaitable<Result<MaybeStale>> Settle(const Caller& caller);
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
