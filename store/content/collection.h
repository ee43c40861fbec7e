#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// How long content that nobody refers to stays.
struct CollectionTimes {
  // A condemned link stays for this time, so that pulls in progress can still read the blob.
  std::chrono::milliseconds grace = std::chrono::hours(36);
  // A client that was told that content exists may refer to it for this time.
  std::chrono::milliseconds lease = std::chrono::hours(1);
  // An administrator can restore the content that a run removed for this time.
  std::chrono::milliseconds trash = std::chrono::hours(24);
};

// Returns the time until which the touch that began this lease keeps content that nobody refers to:
// a touch begins a lease and restarts the grace period. 0: no lease has ever begun.
int64_t KeptByTouchMs(const CollectionTimes& times, int64_t lease_until_ms);

// The changes of state by which the garbage collector knows what nobody refers to:
//
//   link:  referenced <-> condemned -> removed        (row link/, queue condemned/)
//   blob:  linked -> trashed -> freed                 (goes with its last link)
//   manifest: referenced <-> candidate -> removed     (row untagged/)
//
// All methods belong into a transaction that has locked blob/<digest> of each digest, in byte
// order, or manifest/<repo>\0<digest> for a manifest. A value type; `now_ms` is the time of the
// store clock when the transaction began.
class Collection {
 public:
  Collection(const CollectionTimes& times, int64_t now_ms) : times_(times), now_ms_(now_ms) {}

  int64_t now_ms() const { return now_ms_; }

  // Returns a manifest of the repository that refers to the digest, or nullopt. Deletes reference
  // rows whose manifest no longer exists, after a second look under the lock of the reference. The
  // deletion of a corrupt manifest leaves such rows. Deletes at most kMaxStale of them, because a
  // transaction may look at thousands of digests, and leaves the others for later calls. Then it
  // sets `stale_left` to true: the removal of the digest waits for another call, because none comes
  // afterwards. kCorrupt if the key of a row names no manifest.
  static Result<std::optional<Digest>> FindReference(MetaTransaction& transaction,
                                                     const RepositoryName& repository,
                                                     const Digest& digest,
                                                     bool* stale_left = nullptr);
  static constexpr size_t kMaxStale = 16;
  // The same without locks and without deletions, for a plan.
  static Result<std::optional<Digest>> FindReference(const MetaView& view,
                                                     const RepositoryName& repository,
                                                     const Digest& digest);

  // Renews the lease in the row if less than half is left. Returns whether the row has changed.
  bool Touch(v1::LinkRow& row) const;
  bool Touch(v1::ManifestRow& row) const;
  // Returns whether at least half of a lease is left, so that a touch changes nothing.
  bool HasLease(int64_t lease_until_ms) const;

  // Marks the link as condemned since now, and queues it. Replaces an earlier place in the queue.
  // The caller writes `row`.
  Result<void> Condemn(MetaTransaction& transaction, const RepositoryName& repository,
                       const Digest& digest, v1::LinkRow& row) const;
  // Marks the link as referenced, takes it out of the queue, and forgets the pull that
  // ManifestRemoval has noted in it. The caller writes `row`.
  static Result<void> Acquit(MetaTransaction& transaction, const RepositoryName& repository,
                             const Digest& digest, v1::LinkRow& row);
  // Puts a due link back into the queue, because its lease runs or because the grace period is now
  // longer. The caller writes `row`.
  static Result<void> Postpone(MetaTransaction& transaction, const RepositoryName& repository,
                               const Digest& digest, int64_t due_ms, v1::LinkRow& row);
  // Returns the earliest time when the collector may remove the link: after the lease, and after
  // the grace period since the condemnation and since the last touch. A touch moves no row of the
  // queue: the collector looks at this time when it finds the link there.
  int64_t DueMs(const v1::LinkRow& row) const;

  // Marks the manifest as a candidate since now: it may be unreferenced. The collector looks again.
  Result<void> AddCandidate(MetaTransaction& transaction, const RepositoryName& repository,
                            const Digest& digest) const;
  static Result<void> DropCandidate(MetaTransaction& transaction, const RepositoryName& repository,
                                    const Digest& digest);

  // Makes the collector scan all rows for garbage that is not marked as such. Call it when a
  // manifest goes whose children nobody knows, because its bytes are corrupt.
  static Result<void> RequestScan(MetaTransaction& transaction);

 private:
  template <class Row>
  bool Renew(Row& row) const;

  const CollectionTimes times_;
  const int64_t now_ms_;
};

}  // namespace outport::store
