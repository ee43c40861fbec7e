#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/replica/copy_garbage.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/records/intent_ledger.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// An open copy of a blob, from the node's cache.
struct CachedCopy {
  BlobLocation location;
  std::shared_ptr<const BlobReader> reader;  // reads on the pool share the reader
  // True if the copy was written before the last start of the kernel, and was never synced. The
  // file may then have wrong bytes: call Verify() before you serve the copy.
  bool needs_verification = true;
};

// The node's copies of blobs. A copy has an object in a BlobStore and a row (cached/<digest>). A
// request does not wait for the sync of a new copy: the caller calls MakeDurable() later, in the
// background. Safe for several threads. Every method blocks.
class CachedBlobs {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& blobs;
    uint64_t headroom_bytes = 0;  // disk space that copies leave free, for the metadata
    std::string boot_id;          // the current boot of the kernel
    Log log;
  };
  explicit CachedBlobs(Parts parts);

  // Discards the unfinished copies of an earlier process. Call it at start, before the other
  // methods.
  Result<void> Recover();

  // Opens the copy, or returns nullopt if the node has no copy. If the copy's object does not exist
  // or has another size, quarantines the copy.
  Result<std::optional<CachedCopy>> Find(const Digest& digest);
  Result<bool> Contains(const Digest& digest) const;

  // Begins a copy of `size_bytes`. kNoSpace if the disk lacks the space, or if the metadata is
  // read-only. Finish the copy with Commit().
  Result<std::unique_ptr<BlobWriter>> Begin(const Digest& digest, uint64_t size_bytes);
  // Publishes the copy, which is not yet durable. kCorrupt if the bytes have another digest. Call
  // RecordCopy() next.
  Result<BlobLocation> Commit(const Digest& digest, BlobWriter& writer);
  // Writes the copy's row, and removes the object of an earlier copy.
  Result<void> RecordCopy(const Digest& digest, const BlobLocation& location);
  // Deletes the intent of a copy that was not committed.
  void Abandon(const std::string& object);

  // Syncs the copy's object, and then marks the copy as durable in its row.
  Result<void> MakeDurable(const Digest& digest, const std::string& object);
  // Hashes the whole copy. If the copy has another digest, quarantines it and returns kCorrupt.
  // Otherwise marks the copy as durable, because its bytes have just been read from the disk.
  Result<void> Verify(const Digest& digest, const CachedCopy& copy);
  // Drops copies: deletes their rows, then removes their objects. Skips a copy whose row names
  // another object; an empty object means any copy of the digest. Readers that have opened a copy
  // read it to the end. If the process ends before the objects are removed, Recover() removes them.
  // At most BlobStore::kMaxRemovals copies.
  struct Dropped {
    size_t count = 0;
    uint64_t size_bytes = 0;
  };
  Result<Dropped> Drop(std::vector<CopyName> copies);
  // Deletes the row and quarantines the object. Then logs the result, with the reason `why`: the
  // success, or each failed step.
  void Quarantine(const Digest& digest, const std::string& object, const Error& why);

 private:
  // Deletes the copy's row, if the row still names `object`.
  Result<void> DeleteRow(const Digest& digest, const std::string& object);
  Result<void> SetDurable(const Digest& digest, const std::string& object);

  const Parts parts_;
  IntentLedger intents_;
};

}  // namespace outport::node
