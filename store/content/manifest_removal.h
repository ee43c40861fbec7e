#pragma once

#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/service/unknown.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"

namespace outport::store {

// The removal of one manifest from a repository, with its tags, its references, and its entry among
// the referrers of its subject. The manifest and its tags go to the trash. Its blobs that no other
// manifest of the repository refers to are condemned. Its children and its referrers stay, as
// candidates of the collector; of very many referrers the collector makes candidates later
// (OrphanSweep). The parts stay valid until Run() returns.
class ManifestRemoval {
 public:
  struct Parts {
    const RepositoryName& repository;
    const Digest& digest;
    // The children of the manifest; empty if its bytes are corrupt.
    std::vector<Descriptor> blobs;
    std::vector<Descriptor> manifests;
    bool children_known = true;  // false: the bytes are corrupt
    // The subject, as the row of the manifest names it; nullopt if it names none. The digest of a
    // manifest fixes its subject, so a push of the manifest cannot bring another one.
    std::optional<Digest> subject;
    const Collection& collection;
    std::string run;  // the run that removes it; empty: the run of clients
    const Auditor& auditor;
  };
  explicit ManifestRemoval(Parts parts);

  // Removes the manifest. kManifestUnknown if the repository has no such manifest, kDenied if a
  // rule protects one of its tags. May run several times. If the manifest has more tags than one
  // transaction should delete, deletes only some of the tags and sets `done` to false. The caller
  // must then run it again in another transaction.
  Result<void> Run(MetaTransaction& transaction, bool& done) const;

  // Locks what Run() locks before the tags, in the same order, and returns the row of the manifest;
  // nullopt if the repository has no such manifest. A caller that decides first whether to run
  // calls it: until the transaction ends, no push can tag the manifest or refer to it, and nothing
  // pushes or removes its subject.
  Result<std::optional<v1::ManifestRow>> Lock(MetaTransaction& transaction) const;

 private:
  Result<void> RemoveTag(MetaTransaction& transaction, const std::string& run, const Tag& tag,
                         v1::PullRow& last_pull) const;
  Result<void> RemoveManifest(MetaTransaction& transaction, const std::string& run,
                              const v1::ManifestRow& row, v1::PullRow last_pull) const;
  Result<void> RemoveReferences(MetaTransaction& transaction, const v1::PullRow& last_pull) const;
  Result<void> CondemnUnreferenced(MetaTransaction& transaction, const Digest& blob,
                                   const v1::PullRow& last_pull) const;
  Result<void> RemoveReferrer(MetaTransaction& transaction, const v1::ManifestRow& row) const;
  Result<void> AddReferrersAsCandidates(MetaTransaction& transaction) const;

  const Parts parts_;
  // Blobs and manifests in byte order. A digest may be both: other manifests may name it as the
  // other kind.
  const std::vector<Digest> children_;
};

// Deletes a tag, and appends the change. The tag's manifest becomes a candidate of the collector.
// Returns what the tag was, for the trash. kManifestUnknown if the repository has no such tag,
// kDenied if a rule protects it. `why` is TagEventRow.why.
Result<v1::TrashRow::TagDeletion> RemoveTag(MetaTransaction& transaction,
                                            const RepositoryName& repository, const Tag& tag,
                                            const Collection& collection, const Auditor& auditor,
                                            const std::string& why = {});

// Returns the subject that the row names, or nullopt if it names none.
Result<std::optional<Digest>> SubjectOf(const v1::ManifestRow& row);

}  // namespace outport::store
