#pragma once

#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"
#include "store/work/store_clock.h"

namespace outport::store {

// Finds, stores and deletes manifests and their tags. Safe for several threads; every method
// blocks.
class Manifests {
 public:
  struct Parts {
    MetaStore& meta;
    const Clock& clock;
    const StoreClock& store_clock;
    CollectionTimes times = {};
  };
  explicit Manifests(const Parts& parts) : parts_(parts) {}

  // These two methods look up a manifest. kManifestUnknown if the repository has no such manifest,
  // kNameUnknown if the repository does not exist.
  Result<ManifestInfo> Stat(const RepositoryName& repository, const Reference& reference) const;
  Result<StoredManifest> Get(const RepositoryName& repository, const Reference& reference) const;

  struct Touched {
    ManifestInfo info;
    int64_t lease_left_ms = 0;
  };
  // Looks up a manifest for a client that may push. Renews the manifest's lease if less than half
  // is left: the collector keeps the manifest for lease_left_ms. Durable.
  Result<Touched> Touch(const RepositoryName& repository, const Reference& reference);

  // Stores the exact bytes, records which content the manifest refers to, and sets `tags`. If
  // `reference` is a tag, sets that tag, too. One transaction contains all of this and the changes.
  // A second push of the same manifest adds no change. The result is durable.
  // kManifestInvalid, kManifestTooLarge and kDigestInvalid reject the bytes. kManifestBlobUnknown
  // if the repository lacks a blob or an index's child; the error lists the missing digests. A
  // subject need not exist. kDenied if a tag would move although a rule protects it.
  Result<PushedManifest> Put(const RepositoryName& repository, const Reference& reference,
                             const std::string& content_type, const std::vector<Tag>& tags,
                             const std::string& body, const Actor& by);

  // Put() in two steps, for a caller that must know the manifest before the transaction. Parse()
  // reads no metadata.
  struct Parsed {
    Manifest manifest;
    Digest digest;
  };
  static Result<Parsed> Parse(const Reference& reference, const std::string& content_type,
                              const std::string& body);
  Result<PushedManifest> Put(const RepositoryName& repository, const Reference& reference,
                             const Parsed& parsed, const std::vector<Tag>& tags,
                             const std::string& body, const Actor& by);
  // Returns whether the repository has the manifest, and it is large.
  Result<bool> HasLarge(const RepositoryName& repository, const Digest& digest) const;

  // If `reference` is a tag, deletes only that tag. If it is a digest, deletes the manifest, its
  // tags, and its entry among the referrers of its subject, in one transaction. If the manifest has
  // thousands of tags, earlier transactions delete most of the tags. The manifest goes to the
  // trash. The manifest's children stay, and so do indexes that refer to the manifest.
  // kManifestUnknown if the repository has no such manifest or tag, kNameUnknown if the repository
  // does not exist. kDenied if a rule protects a tag that would go, or a tag of an index that
  // contains the manifest. The result is durable.
  Result<Deleted> Delete(const RepositoryName& repository, const Reference& reference,
                         const Actor& by);

 private:
  Result<Deleted> DeleteTag(const RepositoryName& repository, const Tag& tag,
                            const Auditor& auditor);
  Result<Deleted> DeleteDigest(const RepositoryName& repository, const Digest& digest,
                               const Auditor& auditor);

  Collection Now() const { return {parts_.times, parts_.store_clock.NowMs()}; }

  const Parts parts_;
};

}  // namespace outport::store
