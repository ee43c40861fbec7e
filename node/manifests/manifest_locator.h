#pragma once

#include <functional>
#include <optional>

#include "node/freshness/age_rule.h"
#include "node/freshness/resolver.h"
#include "registry/base/clock.h"
#include "registry/service/registry.h"

namespace outport::node {

// Which manifest a reference means, and whether the node knew it alone.
struct LocatedManifest {
  ManifestInfo info;
  // The store was not asked and seems away: blobs that are not here cannot be had.
  bool store_away = false;
};

// Finds manifests by tag or digest, by the rules of freshness: a tag from rows that are fresh, else
// from the store, else, if the policy allows it, from rows that say how old they are. "There is no
// such" is the store's to say. Callable from any strand.
class ManifestLocator {
 public:
  struct Parts {
    Replica& replica;
    const AgeRule& age;
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
  // What the node knows by itself.
  struct Known {
    v1::ResolveResponse answer;
    std::optional<std::chrono::nanoseconds> age;  // at most; nullopt: unknown
    bool of_rows = false;                         // else an answer of the store
  };

  net::awaitable<Result<LocatedManifest>> LocateTag(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Tag& tag);
  net::awaitable<Result<LocatedManifest>> LocateTagAlone(const RepositoryName& repository,
                                                         const Tag& tag);
  net::awaitable<Result<LocatedManifest>> LocateDigest(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const Digest& digest);
  net::awaitable<Result<Known>> Recall(v1::ResolveRequest request);

  const Parts parts_;
};

}  // namespace outport::node
