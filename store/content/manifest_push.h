#pragma once

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

// Returns the digests of the descriptors, without duplicates and in byte order of their text.
// Transactions lock the keys of blobs and manifests in this order.
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
  explicit ManifestPush(const Parts& parts) : parts_(parts) {}

  // Writes the rows and changes. kManifestBlobUnknown if the repository lacks content that the
  // manifest names; the error lists the missing digests. kDenied if a tag would change although
  // a rule protects it. May run several times.
  Result<void> Run(MetaTransaction& transaction) const;

 private:
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
};

}  // namespace outport::store
