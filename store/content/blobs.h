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
#include "store/content/checked_objects.h"
#include "store/content/collection.h"
#include "store/content/space_demand.h"
#include "store/content/space_ledger.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"

namespace outport {
class BlockingPool;
}

namespace outport::store {

// Returns whether the store can serve the blob's bytes. It cannot if the blob is in the trash, or
// if the blob's object is in quarantine.
bool IsUsable(const v1::BlobRow& row);

// The blobs of all repositories. This class knows which repository links which blob, and where the
// blob's bytes are stored. Safe for several threads. Every method blocks, unless its comment says
// otherwise.
//
// A commit takes these steps: a synced intent, the sync of the file, its rename, the sync of the
// folder, and one synced transaction with the blob, its link and the change. The intent must be on
// the disk before the rename. Otherwise a crash after the rename leaves an object that no row
// names, and the next start cannot find that object.
//
// A commit takes the same steps whether or not the store has the blob: the new object replaces the
// old one, whose bytes may have become corrupt unnoticed. So the time that a push takes does not
// tell a client that another repository has the blob.
class Blobs {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& bytes;
    const Clock& clock;
    const StoreClock& store_clock;
    const Owner& owner;  // in whose name commits are unfinished
    CollectionTimes times = {};
    Metrics& metrics;
    Log log;
    uint64_t headroom_bytes = 0;  // the free space of the disk that pushes must leave
    // Gets the rejected pushes; nullptr: nobody frees space for them.
    SpaceDemand* demand = nullptr;
  };
  explicit Blobs(Parts parts);

  const Parts& parts() const { return parts_; }
  CheckedObjects& checked_objects() { return checked_; }

  struct Located {
    BlobInfo info;
    BlobLocation location;
  };
  struct Opened {
    Located blob;
    std::shared_ptr<const BlobReader> reader;  // reads on a pool share the reader
  };
  // Looks up a blob. kBlobUnknown if the repository does not link the digest, or if the blob's
  // object is in quarantine or does not exist. kNameUnknown if the repository does not exist.
  Result<BlobInfo> Stat(const RepositoryName& repository, const Digest& digest) const;
  Result<Located> Locate(const RepositoryName& repository, const Digest& digest) const;
  Result<Opened> Open(const RepositoryName& repository, const Digest& digest);

  struct Touched {
    BlobInfo info;
    int64_t lease_left_ms = 0;
  };
  // Looks up a blob for a client that may push. Renews the lease of the link if less than half is
  // left: for lease_left_ms the collector removes neither the link nor the blob. Durable.
  Result<Touched> Touch(const RepositoryName& repository, const Digest& digest);

  // Commits the writer's bytes as the blob `digest`, and links the blob in the repository. Creates
  // the repository if it does not exist. Readers that have opened an earlier object keep it.
  // kDigestInvalid if the bytes have another digest. The result is durable. Afterwards the caller
  // can only destroy the writer. `also` adds the caller's own writes to the transaction; it may run
  // several times.
  using AlsoWrite = std::function<Result<void>(MetaTransaction&)>;
  Result<PushedBlob> Commit(const RepositoryName& repository, BlobWriter& writer,
                            const Digest& digest, const Actor& by, const AlsoWrite& also = {});

  // Quarantines an object. Afterwards the blob is unknown until a client pushes it again. Does
  // nothing if the blob's row does not name this object. The log gets `why`. A failed move of the
  // file is only logged.
  Result<void> Quarantine(const Digest& digest, const std::string& object, const std::string& why);
  // Call it after a read of an object returned kCorrupt. Counts the corruption, and quarantines the
  // object. Logs a failure. Does not block: the work runs on `disk`.
  Awaitable<void> QuarantineCorrupt(BlockingPool& disk, Digest digest, std::string object,
                                    Error why);

  // Undoes the unfinished commits of processes that have ended, and returns their number. Call it
  // at start, before the other methods.
  Result<size_t> SettleIntents();
  // Does the same for one page of intents, while other threads use this object. See
  // IntentLedger::SettlePage().
  Result<IntentLedger::Page> SettleIntents(const std::string& after,
                                           const IntentLedger::IsDead& is_dead,
                                           const IntentLedger::Fence& fence);

  // Checks that the disk has the headroom free after a write of `needed_bytes`. If too little is
  // free, returns kNoSpace with the numbers, and adds the bytes to the demand, in the name of `by`.
  Result<void> RequireFreeSpace(uint64_t needed_bytes, const Pusher& by = {}) const;
  // Promises space for a part of a push (SpaceLedger::Take()). If too little is free, returns
  // kNoSpace with the numbers, and adds wanted.needed_bytes to the demand, in the name of `by`.
  Result<SpaceLedger::Promise> PromiseSpace(const SpaceLedger::Wanted& wanted, const Pusher& by);

 private:
  // `linked`: whether the repository links the blob.
  Result<Located> Locate(const RepositoryName& repository, const Digest& digest, bool linked) const;
  struct Committing {
    const Auditor& auditor;
    const AlsoWrite& also;
    const BlobLocation& fresh;  // the new object
  };
  Result<PushedBlob> Link(const RepositoryName& repository, const Digest& digest,
                          const Committing& committing, std::string& left_over);
  void Discard(const std::string& object);
  // Adds a push that was rejected with kNoSpace to the demand.
  void AddDemand(const Error& rejection, uint64_t needed_bytes, const Pusher& by) const;
  // Returns whether the row of the blob names the object. `digest` is from the object's intent.
  Result<bool> IsNamed(const std::string& object, const Result<Digest>& digest) const;

  const Parts parts_;
  SpaceLedger space_;
  IntentLedger intents_;
  CheckedObjects checked_{parts_.clock};
  prometheus::Counter& corrupt_;
};

}  // namespace outport::store
