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
  // The store was not asked and seems unreachable: blobs that the node lacks cannot be fetched.
  bool store_unreachable = false;
};

// Finds manifests by tag or digest, by the table in node/freshness/staleness_rule.cc. Callable from
// any strand.
class ManifestLocator {
 public:
  struct Parts {
    Replica& replica;
    const StalenessRule& rule;
    Resolver& resolver;
    const Clock& clock;
    std::function<bool()> store_is_connected;  // from any thread; does not block
  };
  explicit ManifestLocator(Parts parts);

  // kManifestUnknown, kNameUnknown, kUnavailable.
  net::awaitable<Result<LocatedManifest>> Locate(const Caller& caller,
                                                 const RepositoryName& repository,
                                                 const Reference& reference);

 private:
  // The node's own answer.
  struct Known {
    ResolveAnswer answer;
    std::optional<std::chrono::nanoseconds> age;  // an upper bound; nullopt: unknown
    bool from_rows = false;                       // false: from the overlay

    Local local() const;
  };

  net::awaitable<Result<LocatedManifest>> LocateTag(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Tag& tag);
  net::awaitable<Result<LocatedManifest>> LocateTagWithoutStore(const RepositoryName& repository,
                                                                const Tag& tag);
  net::awaitable<Result<LocatedManifest>> LocateDigest(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const Digest& digest);
  net::awaitable<Result<Known>> FindLocal(ResolveQuestion question);

  const Parts parts_;
};

}  // namespace outport::node
