#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "outport/v1/collection.pb.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"

namespace outport::store {

// The lease of one kind of background work, which one process at a time may do: the row
// lease/<name>. Each new holder gets a greater fencing number, also after a Release(). A holder
// that was too slow to renew its lease finds out in its next transaction, because Check() compares
// the number in the row.
//
//   WorkLease lease(meta, clock, "gc", owner);
//   TRY(const bool mine, lease.Acquire());
//   ... Transact(meta, [&](MetaTransaction& t) -> Result<void> {
//         TRY_VOID(lease.Check(t));   // last: it locks the lease's row
//         ...
//
// The holder is this object, not the owner: another object with the same owner waits until the
// lease expires or is released.
//
// Safe for several threads; every method but fence() blocks. The arguments outlive the lease. The
// destructor does not release the lease.
class WorkLease {
 public:
  static constexpr std::chrono::seconds kDuration{30};

  // `owner` is the id of the process, for administrators to read.
  WorkLease(MetaStore& meta, const StoreClock& clock, std::string name, std::string owner);
  // With an Owner, which outlives the lease: the lease of a process that has ended counts as
  // expired. So a restarted process need not wait for it.
  WorkLease(MetaStore& meta, const StoreClock& clock, std::string name, const Owner& owner);

  // Acquires the lease, or renews it if less than half is left. Returns false if another holder
  // has it. Call it more often than every kDuration / 2.
  Result<bool> Acquire();
  // Returns kFailedPrecondition unless this object's lease is in force at the time of the
  // transaction. Locks the lease's row, so that nobody else can acquire the lease before the
  // transaction ends.
  Result<void> Check(MetaTransaction& transaction) const;
  // Returns this object's fencing number; 0 if it did not hold the lease when it last looked. If
  // the number has changed, another holder may have worked in between. Does not block.
  uint64_t fence() const { return fence_.load(); }
  // Ends the lease, so that another owner need not wait. Succeeds also without a lease. After an
  // error this object no longer holds the lease, which then expires.
  Result<void> Release();

 private:
  // Renews the lease in the row, or makes this object the new holder. Returns the fencing number,
  // or 0 if another holder has the lease.
  Result<uint64_t> Write(MetaTransaction& transaction) const;
  // Returns whether another holder's lease is in force.
  Result<bool> IsHeldElsewhere(const v1::LeaseRow& row) const;

  MetaStore& meta_;
  const StoreClock& clock_;
  const std::string name_;
  const std::string key_;
  const std::string owner_;
  const Owner* const process_ = nullptr;  // nullptr: leases end only by their time
  Mutex turn_;                            // held while Acquire() or Release() runs its transaction
  std::atomic<uint64_t> fence_ = 0;       // 0: this object does not hold the lease
};

}  // namespace outport::store
