#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"
#include "registry/records/intent_ledger.h"
#include "registry/service/registry.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// How long a blob that was just pushed, or named by a push, is safe from the collector.
inline constexpr std::chrono::milliseconds kBlobLease = std::chrono::hours(1);

// Clears a condemnation and begins a lease, or renews one of which less than half is left. False if
// the row is good as it is.
bool TouchBlob(v1::BlobRow& row, int64_t now_ms);

// Whether the row names bytes that can be served: not one that is being deleted, nor one whose
// bytes were put aside.
bool IsUsable(const v1::BlobRow& row);

// Blobs as repositories see them: who may see which blob, and where its bytes are. Safe for several
// threads; every method blocks.
//
// A commit is: intent row (synced) -> sync file -> rename -> sync directory -> one synced
// transaction with the blob, its links and the change. The intent must be on the disk before the
// rename can be: it is the only thing by which start-up finds an object that no blob row names.
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
  // kBlobUnknown where the digest is not linked in the repository, or its bytes were put aside;
  // kNameUnknown where there is no such repository.
  Result<BlobInfo> Stat(const RepositoryName& repository, const Digest& digest) const;
  Result<Located> Locate(const RepositoryName& repository, const Digest& digest) const;
  Result<Opened> Open(const RepositoryName& repository, const Digest& digest);

  // Whether the blob's bytes are on the disk, wherever it is linked.
  Result<bool> HasBytes(const Digest& digest) const;

  // Commits what `writer` holds as `digest` and links it in the repository, which is made if it is
  // new. Bytes that are here already are linked, not stored again. kDigestInvalid if the bytes hash
  // otherwise. Durable. The writer can only be destroyed afterwards. `also` adds the caller's
  // own writes to the transaction; the transaction may run several times.
  using AlsoWrite = std::function<Result<void>(MetaTransaction&)>;
  Result<PushedBlob> Commit(const RepositoryName& repository, BlobWriter& writer,
                            const Digest& digest, const Actor& by, const AlsoWrite& also = {});

  // Quarantines an object. The blob is unknown from then on, and a push brings it back. Does
  // nothing if the blob's row names another object, or none. `why` is for the log.
  Result<void> Quarantine(const Digest& digest, const std::string& object, const std::string& why);
  // Counts and quarantines an object after a read of it returned kCorrupt. Logs a failure. Does
  // not block: the work runs on `disk`.
  net::awaitable<void> QuarantineCorrupt(BlockingPool& disk, Digest digest, std::string object,
                                         Error why);

  // Undoes the commits that an earlier process did not finish; returns how many. At start, before
  // anything else.
  Result<size_t> SettleIntents();

  // kNoSpace, with the figures, unless `needed_bytes` leave the headroom free that deletes and the
  // metadata need.
  Result<void> RequireFreeSpace(uint64_t needed_bytes) const;

 private:
  Result<bool> HasUsableCopy(const Digest& digest, std::string& unusable_object) const;
  // What a commit has found and made before its transaction.
  struct Committing {
    const Auditor& auditor;
    const AlsoWrite& also;
    std::string unusable_object = {};     // the object of a row that leads to no bytes
    const BlobLocation* fresh = nullptr;  // the object just committed; nullptr: one is here already
    std::string left_over = {};           // set to the object to remove afterwards
  };
  Result<PushedBlob> Link(const RepositoryName& repository, const Digest& digest,
                          Committing& committing);
  void Discard(const std::string& object);

  const Parts parts_;
  IntentLedger intents_;
  prometheus::Counter& corrupt_;
};

}  // namespace outport::store
