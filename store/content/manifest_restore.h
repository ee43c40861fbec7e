#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"
#include "store/work/store_clock.h"

namespace outport::store {

// Puts a manifest again that the repository has, or has in its trash: like a push of its stored
// bytes. Before that, brings back from the trash what the manifest refers to: the children of an
// index, and the blobs. A blob comes back although another repository removed it last, because the
// manifest proves that this repository had it. Safe for several threads; blocks.
class ManifestRestore {
 public:
  // The referenced objects outlive this object.
  struct Parts {
    MetaStore& meta;
    const Clock& clock;
    const StoreClock& store_clock;
    CollectionTimes times = {};
  };
  explicit ManifestRestore(const Parts& parts) : parts_(parts) {}

  // The most manifests that one call brings back.
  static constexpr size_t kMaxManifests = 1000;

  struct Target {
    const RepositoryName& repository;
    const Digest& digest;
    std::vector<Tag> tags = {};  // the tags to set; in byte order, without duplicates
    std::string why = {};        // TagEventRow.why of the tags
    // The caller's own reads and audit entries in the transaction that puts the manifest. May run
    // several times.
    std::function<Result<void>(MetaTransaction&, const Auditor&)> also = {};
    // The same for each transaction, also those that put children. Run() calls `committed` after
    // the commit of each.
    std::function<Result<void>(MetaTransaction&)> each = {};
    std::function<void()> committed = {};
  };
  // Children come back first, each in a transaction of its own; the last transaction puts the
  // manifest and its tags. So no tag ever names a manifest without its content. Returns the
  // position of the last change. kManifestUnknown if neither the repository nor its trash has the
  // manifest. kFailedPrecondition if content is gone; the error lists the missing digests. kDenied
  // if a rule protects one of the tags. The result is durable.
  Result<LogPosition> Run(const Target& target, const Actor& by) const;

  // Returns whether Run() would find everything that the manifest needs. Changes nothing. Adds the
  // number of manifests that it read to `read`: the manifest, and the descendants that the
  // repository lacks, at most kMaxManifests + 1.
  Result<bool> CanRun(const RepositoryName& repository, const Digest& digest, size_t& read) const;

 private:
  struct Stored {
    Manifest manifest;
    std::string body;
  };
  // Manifests to put, each one after its children.
  struct Plan {
    std::vector<Digest> order;
    std::vector<std::string> missing;
    size_t read = 0;         // manifests
    bool too_large = false;  // more than kMaxManifests are to come back; the plan is incomplete
  };
  Result<std::optional<Stored>> Load(const RepositoryName& repository, const Digest& digest) const;
  Result<Plan> MakePlan(const RepositoryName& repository, const Digest& digest) const;
  Result<void> FindMissingBlobs(const Manifest& manifest, Plan& plan) const;
  Result<LogPosition> Put(const Target& target, const Digest& digest, const Auditor& auditor) const;

  const Parts parts_;
};

}  // namespace outport::store
