#pragma once

#include <memory>
#include <optional>
#include <string>

#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/records/intent_ledger.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// The node's own copy of a blob, open.
struct CachedCopy {
  BlobLocation location;
  std::shared_ptr<const BlobReader> reader;  // shared with reads on the pool
  // False: it was never synced, and written under another boot of the kernel. It may hold anything,
  // and is not served before Verify().
  bool trusted = false;
};

// The node's copies of blobs: their objects in a BlobStore and their rows (cached/<digest>).
// Written without a sync in the way of a request; MakeDurable() follows in the background. Safe for
// several threads; every method blocks.
class CachedBlobs {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& blobs;
    uint64_t headroom_bytes = 0;  // of the disk, kept free of copies for the metadata
    std::string boot_id;          // of the running kernel
    Log log;
  };
  explicit CachedBlobs(Parts parts);

  // At start, before anything else: discards what an earlier process left unfinished.
  Result<void> Recover();

  // nullopt if there is none. A copy whose object is gone or of another size is dropped here.
  Result<std::optional<CachedCopy>> Find(const Digest& digest);
  Result<bool> Contains(const Digest& digest) const;

  // Begins a copy, of `size_bytes`; kNoSpace if there is no room for it, or the metadata takes no
  // row of it. Ends with Commit or Abandon.
  Result<std::unique_ptr<BlobWriter>> Begin(const Digest& digest, uint64_t size_bytes);
  // Publishes the copy, not yet durable. kCorrupt if the bytes are not the digest's.
  Result<BlobLocation> Commit(const Digest& digest, BlobWriter& writer);
  Result<void> Enter(const Digest& digest, const BlobLocation& location);
  void Abandon(const std::string& object);

  // Syncs the copy, then says so in its row.
  Result<void> MakeDurable(const Digest& digest, const std::string& object);
  // Hashes the copy whole. kCorrupt if it is something else, and then the copy is condemned. One
  // that passes is durable: it came from the disk.
  Result<void> Verify(const Digest& digest, const CachedCopy& copy);
  // Drops the row, and puts the object aside for people to look at.
  void Condemn(const Digest& digest, const std::string& object, const Error& why);

 private:
  // Deletes the row if it still names `object`.
  Result<void> DropRow(const Digest& digest, const std::string& object);
  Result<void> SetDurable(const Digest& digest, const std::string& object);

  const Parts parts_;
  IntentLedger intents_;
};

}  // namespace outport::node
