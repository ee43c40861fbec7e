#pragma once

#include <functional>

#include "node/blobs/blob_links.h"
#include "node/freshness/resolver.h"
#include "node/freshness/staleness_rule.h"
#include "registry/base/clock.h"

namespace outport::node {

// Finds the links of blobs in the node's replica. The table in node/freshness/staleness_rule.cc
// decides when it asks the store.
class Links final : public BlobLinks {
 public:
  struct Parts {
    Replica& replica;
    const StalenessRule& rule;
    Resolver& resolver;
    const Clock& clock;
    std::function<bool()> store_is_connected;  // callable from any thread; does not block
  };
  explicit Links(Parts parts);

  net::awaitable<Result<BlobInfo>> Require(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override;
  net::awaitable<Result<BlobInfo>> Confirm(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) override;

 private:
  // The node's own answer.
  struct Known {
    ResolveAnswer answer;
    std::optional<std::chrono::nanoseconds> age;  // an upper bound; nullopt: the age is unknown
  };

  net::awaitable<Result<Known>> FindLocal(ResolveQuestion question);
  // `unanswered` is the error of the question to the store.
  net::awaitable<Result<BlobInfo>> FindWithoutStore(const RepositoryName& repository,
                                                    const Digest& digest, const Error& unanswered);

  const Parts parts_;
};

}  // namespace outport::node
