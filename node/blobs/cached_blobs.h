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
  // The copy was written under another boot of the kernel and never synced. It may hold anything:
  // call Verify() before it is served.
  bool needs_verification = true;
};

// The node's copies of blobs: their objects in a BlobStore and their rows (cached/<digest>). A
// request does not wait for a sync of its copy; MakeDurable() follows in the background. Safe for
// several threads. Every method blocks.
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

  // Discards the unfinished copies of an earlier process. Call it at start, before the other
  // methods.
  Result<void> Recover();

  // Opens the copy; nullopt if there is none. Quarantines a copy whose object does not exist or has
  // another size.
  Result<std::optional<CachedCopy>> Find(const Digest& digest);
  Result<bool> Contains(const Digest& digest) const;

  // Begins a copy of `size_bytes`. kNoSpace if the disk lacks the space, or if the metadata is
  // read-only. End it with Commit or Abandon.
  Result<std::unique_ptr<BlobWriter>> Begin(const Digest& digest, uint64_t size_bytes);
  // Publishes the copy, which is not yet durable. kCorrupt if the bytes have another digest. Call
  // RecordCopy next.
  Result<BlobLocation> Commit(const Digest& digest, BlobWriter& writer);
  // Writes the copy's row, and removes the object of an earlier copy.
  Result<void> RecordCopy(const Digest& digest, const BlobLocation& location);
  // Forgets a copy that was not committed.
  void Abandon(const std::string& object);

  // Syncs the copy, then marks its row as durable.
  Result<void> MakeDurable(const Digest& digest, const std::string& object);
  // Hashes the whole copy. Quarantines it and returns kCorrupt if it has another digest. Otherwise
  // marks it as durable: its bytes came from the disk.
  Result<void> Verify(const Digest& digest, const CachedCopy& copy);
  // Deletes the row and quarantines the object. Logs `why`, and a failure.
  void Quarantine(const Digest& digest, const std::string& object, const Error& why);

 private:
  // Deletes the row if it still names `object`.
  Result<void> DeleteRow(const Digest& digest, const std::string& object);
  Result<void> SetDurable(const Digest& digest, const std::string& object);

  const Parts parts_;
  IntentLedger intents_;
};

}  // namespace outport::node
