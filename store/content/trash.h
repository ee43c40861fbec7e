#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"

namespace outport::store {

// The trash: what a run removed, until the trash window of the run ends. A manifest in the trash
// keeps its row holder/, so its bytes stay in content/. A blob in the trash keeps its row and its
// object, and has the state TRASHED. Every function is part of a transaction that has locked the
// rows that Collection's comment names.

// The kinds of keys::Trash().
namespace trash_kind {
inline constexpr std::string_view kManifest = "manifest";
inline constexpr std::string_view kLink = "link";
inline constexpr std::string_view kBlob = "blob";
inline constexpr std::string_view kTag = "tag";
}  // namespace trash_kind

// Returns the id of a run that starts at this time. Ids are in order of time.
std::string NewRunId(int64_t now_ms);

// Returns the run that has the deletions by clients of the current hour. If there is none, writes
// its row. If its trash is freed already, opens the run again.
Result<std::string> RunOfClients(MetaTransaction& transaction, int64_t now_ms);

// Puts a manifest in the trash. The caller removes its row and its references, and keeps holder/.
Result<void> TrashManifest(MetaTransaction& transaction, const std::string& run,
                           v1::TrashRow::Manifest manifest, int64_t now_ms);
// Puts a tag in the trash, with the rows that it had. The caller deletes the tag. If the run
// deleted the tag before, the trash has only the latest rows.
Result<void> TrashTag(MetaTransaction& transaction, const std::string& run,
                      v1::TrashRow::TagDeletion deletion, int64_t now_ms);
// If the manifest is in the trash, takes it out, with its last pull. A push of the manifest calls
// it.
Result<void> UntrashManifest(MetaTransaction& transaction, const RepositoryName& repository,
                             const Digest& digest);
// Deletes the trash rows of a manifest. If the repository has not got the manifest back, also
// deletes its row holder/, and with the last holder the bytes. REQUIRES: content/<digest> and
// manifest/<repo>\0<digest> are locked, in this order.
Result<void> FreeManifest(MetaTransaction& transaction, const std::string& run,
                          const RepositoryName& repository, const Digest& digest);

// Removes the link from its repository and appends the change. If no other repository links the
// blob, also puts the blob in the trash and appends its tombstone. Writes trash rows for both.
// Returns whether the blob went, too. REQUIRES: blob/<digest> is locked, and `blob` is its row;
// nullopt if it has no row.
Result<bool> TrashLink(MetaTransaction& transaction, const std::string& run,
                       const RepositoryName& repository, const Digest& digest,
                       const v1::LinkRow& link, const std::optional<v1::BlobRow>& blob,
                       int64_t now_ms);
// Puts a blob that no repository links in the trash of the run. REQUIRES: blob/<digest> is locked.
// `repository` is the last one that linked the blob.
Result<void> TrashBlob(MetaTransaction& transaction, const std::string& run,
                       const std::string& repository, const Digest& digest, v1::BlobRow blob,
                       int64_t now_ms);
// If the blob is in the trash, takes it out. Returns false if the store has no bytes of the blob.
// REQUIRES: blob/<digest> is locked. The caller writes a link, so that the blob does not stay
// without one.
Result<bool> UntrashBlob(MetaTransaction& transaction, const Digest& digest);

}  // namespace outport::store
