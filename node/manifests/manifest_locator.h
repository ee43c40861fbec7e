#pragma once

#include <functional>
#include <optional>

#include "node/freshness/resolver.h"
#include "node/freshness/staleness_rule.h"
#include "registry/base/clock.h"
#include "registry/service/registry.h"

namespace outport::node {

// The manifest that a reference names.
struct LocatedManifest {
  ManifestInfo info;
  // True if the node answered without the store, and the store seems unreachable. The node then
  // cannot fetch the blobs that it lacks.
  bool store_unreachable = false;
};

// Finds manifests by tag or digest. The table in node/freshness/staleness_rule.cc decides when it
// asks the store. Callable from any strand.
class ManifestLocator {
 public:
  struct Parts {
    Replica& replica;
    const StalenessRule& rule;
    Resolver& resolver;
    const Clock& clock;
    std::function<bool()> store_is_connected;  // callable from any thread; does not block
  };
  explicit ManifestLocator(Parts parts);

  // Fails with kManifestUnknown, kNameUnknown or kUnavailable; with kTooManyRequests if the node
  // has too many open questions, and its own data may not answer.
  net::awaitable<Result<LocatedManifest>> Locate(const Caller& caller,
                                                 const RepositoryName& repository,
                                                 const Reference& reference);

  // As above, for a client that may push. The store confirms the manifest and renews its lease,
  // unless the node may answer without the store and knows that at least half of the lease is left.
  // While the node is not connected to the store, answers as Locate() does then: the push that
  // follows fails with kUnavailable anyway. If the node is connected, and the store does not
  // answer, fails with kUnavailable: the store may be collecting the manifest. For the same reason
  // fails with kTooManyRequests if the node has too many open questions, or too many of the
  // caller's user.
  net::awaitable<Result<LocatedManifest>> Confirm(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const Reference& reference);

 private:
  // The node's own answer.
  struct Known {
    ResolveAnswer answer;
    std::optional<std::chrono::nanoseconds> age;  // an upper bound; nullopt: the age is unknown
    bool from_rows = false;                       // false: the answer is from the overlay

    Local local() const { return LocalOf(answer); }
  };

  net::awaitable<Result<LocatedManifest>> LocateTag(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Tag& tag);
  net::awaitable<Result<LocatedManifest>> LocateTagWithoutStore(const RepositoryName& repository,
                                                                const Tag& tag);
  net::awaitable<Result<LocatedManifest>> LocateDigest(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const Digest& digest);
  // `unanswered` is the error of the question to the store.
  net::awaitable<Result<LocatedManifest>> LocateDigestWithoutStore(const RepositoryName& repository,
                                                                   const Digest& digest,
                                                                   const Error& unanswered);
  // Returns the node's own answer, if the staleness rule allows it and half of the manifest's lease
  // is left. Returns nullopt if the node must ask the store.
  net::awaitable<Result<std::optional<LocatedManifest>>> FindLeased(
      const RepositoryName& repository, const Reference& reference);
  net::awaitable<Result<Known>> FindLocal(ResolveQuestion question);

  const Parts parts_;
};

}  // namespace outport::node
