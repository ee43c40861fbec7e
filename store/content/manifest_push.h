#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"

namespace outport::store {

// A manifest that names more blobs and manifests than this is large. Ordinary images have fewer
// than 150 layers. For writes of large manifests there are turns (LargeWrites).
inline constexpr size_t kLargeDescriptors = 256;
bool IsLarge(const Manifest& manifest);
// Returns false if no manifest of this size is large.
bool MayBeLarge(uint64_t size_bytes);

// Return the digests, without duplicates and in their order, which is also the byte order of their
// text. Transactions lock the keys of blobs and manifests in this order.
std::vector<Digest> SortedDigests(std::vector<Digest> digests);
std::vector<Digest> SortedDigests(const std::vector<Descriptor>& descriptors);

// The push of one manifest into a repository, in one transaction. The parts stay valid until Run()
// returns.
class ManifestPush {
 public:
  struct Parts {
    const RepositoryName& repository;
    const Manifest& manifest;
    const Digest& digest;
    const std::vector<Tag>& tags;  // the tags to set; in byte order, without duplicates
    std::span<const int64_t> tag_times_ms = {};  // TagRow.updated_ms of each tag; empty: now
    const std::string& body;
    std::string_view why = {};  // TagEventRow.why of the tags; empty: a client's push
    const Collection& collection;
    const Auditor& auditor;
  };
  explicit ManifestPush(const Parts& parts);

  // Looks for missing content as Run() does, but takes no locks. Call it before the transaction of
  // a large manifest: it reads the rows from the disk while nobody waits for their locks, and a
  // push that cannot succeed locks nothing. Run() looks again.
  Result<void> RequireContent(const MetaView& view) const;
  // Writes the rows and changes. kManifestBlobUnknown if the repository lacks content that the
  // manifest names; the error lists the missing digests. kDenied if a tag would change although
  // a rule protects it. May run several times.
  Result<void> Run(MetaTransaction& transaction) const;

 private:
  Error MissingContent(std::vector<std::string> missing) const;
  Result<void> LockBlobs(MetaTransaction& transaction, std::vector<std::string>& missing) const;
  Result<void> LockManifests(MetaTransaction& transaction, std::vector<std::string>& missing,
                             std::optional<v1::ManifestRow>& own) const;
  Result<void> UpdateCandidates(MetaTransaction& transaction, bool is_new) const;
  Result<void> WriteContent(MetaTransaction& transaction) const;
  Result<void> WriteManifest(MetaTransaction& transaction,
                             const std::optional<v1::ManifestRow>& before,
                             std::vector<v1::Change>& changes) const;
  Result<void> WriteReferrer(MetaTransaction& transaction, std::vector<v1::Change>& changes) const;
  Result<void> WriteTag(MetaTransaction& transaction, const Tag& tag, int64_t time_ms,
                        std::vector<v1::Change>& changes) const;

  const Parts parts_;
  // Sorted before the transaction, and once for all of its attempts.
  const std::vector<Digest> blobs_;
  const std::vector<Digest> children_;          // the manifests that an index lists
  const std::vector<Digest> own_and_children_;  // the manifest itself, too
};

}  // namespace outport::store
