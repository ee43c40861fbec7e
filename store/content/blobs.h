#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/awaitable.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"
#include "registry/records/intent_ledger.h"
#include "registry/service/registry.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport {
class BlockingPool;
}

namespace outport::store {

// The lease of a blob that was just pushed or named by a push. The garbage collector keeps a blob
// under a lease.
inline constexpr std::chrono::milliseconds kBlobLease = std::chrono::hours(1);

// Makes the blob live, and renews its lease if less than half of it remains. Returns whether the
// row has changed.
bool TouchBlob(v1::BlobRow& row, int64_t now_ms);

// Whether the blob's bytes can be served: it is not being deleted, and its object is not in
// quarantine.
bool IsUsable(const v1::BlobRow& row);

// The blobs of all repositories: which repository links which blob, and where its bytes are stored.
// Safe for several threads. Every method blocks, unless it says otherwise.
//
// A commit takes these steps: intent row (synced), sync of the file, rename, sync of the folder,
// and one synced transaction with the blob, its link and the change. The intent must be on the disk
// before the rename: only by it can a start find an object that no blob row names.
class Blobs {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& bytes;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    uint64_t headroom_bytes = 0;  // of the disk, kept free of pushes
  };
  explicit Blobs(Parts parts);

  struct Located {
    BlobInfo info;
    BlobLocation location;
  };
  struct Opened {
    Located blob;
    std::shared_ptr<const BlobReader> reader;  // shared with reads on a pool
  };
  // kBlobUnknown if the repository does not link the digest, or if its object is in quarantine or
  // does not exist; kNameUnknown if there is no such repository.
  Result<BlobInfo> Stat(const RepositoryName& repository, const Digest& digest) const;
  Result<Located> Locate(const RepositoryName& repository, const Digest& digest) const;
  Result<Opened> Open(const RepositoryName& repository, const Digest& digest);

  // Whether the blob's bytes are on the disk, in whatever repository it is linked.
  Result<bool> HasBytes(const Digest& digest) const;

  // Commits the writer's bytes as `digest`, and links the blob in the repository, which is created
  // if it is new. If the blob is stored already, only links it. kDigestInvalid if the bytes have
  // another digest. Durable. Afterwards the writer can only be destroyed. `also` adds the caller's
  // own writes to the transaction; it may run several times.
  using AlsoWrite = std::function<Result<void>(MetaTransaction&)>;
  Result<PushedBlob> Commit(const RepositoryName& repository, BlobWriter& writer,
                            const Digest& digest, const Actor& by, const AlsoWrite& also = {});

  // Quarantines an object. The blob is unknown from then on, and a push brings it back. Does
  // nothing if the blob's row names another object, or none. `why` is for the log.
  Result<void> Quarantine(const Digest& digest, const std::string& object, const std::string& why);
  // Counts and quarantines an object after a read of it returned kCorrupt. Logs a failure. Does
  // not block: the work runs on `disk`.
  Awaitable<void> QuarantineCorrupt(BlockingPool& disk, Digest digest, std::string object,
                                    Error why);

  // Undoes the unfinished commits of an earlier process. Returns how many there were. Call it at
  // start, before the other methods.
  Result<size_t> SettleIntents();

  // kNoSpace, with the figures, if `needed_bytes` more would leave less than the headroom free.
  Result<void> RequireFreeSpace(uint64_t needed_bytes) const;

 private:
  Result<bool> HasUsableCopy(const Digest& digest, std::string& unusable_object) const;
  // The state of a commit before and in its transaction.
  struct Committing {
    const Auditor& auditor;
    const AlsoWrite& also;
    std::string unusable_object = {};     // the row names it, but it cannot be opened
    const BlobLocation* fresh = nullptr;  // the object just committed; nullptr: it exists already
    std::string left_over = {};           // output: the object to remove afterwards
  };
  Result<PushedBlob> Link(const RepositoryName& repository, const Digest& digest,
                          Committing& committing);
  void Discard(const std::string& object);

  const Parts parts_;
  IntentLedger intents_;
  prometheus::Counter& corrupt_;
};

}  // namespace outport::store
