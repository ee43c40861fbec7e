#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/work/store_clock.h"

namespace outport::store {

// This process as the owner of unfinished work, such as upload sessions and commits of blobs. The
// rows of such work name their owner. The row owner/<id> is the owner's lease: while it is in
// force, no other process takes the work. Each process has a random id, so a restarted process is
// another owner.
//
// Safe for several threads. Every method but id() blocks. The arguments outlive the Owner.
class Owner {
 public:
  static constexpr std::chrono::seconds kDuration{30};
  static constexpr std::chrono::seconds kRenewPeriod{10};

  // How the process shares the metadata with other processes.
  enum class Access {
    // The process holds the lock of the data folder. So every other such owner is dead.
    kExclusive,
    kShared,
  };
  Owner(MetaStore& meta, const StoreClock& clock, Access access);

  const std::string& id() const { return id_; }
  // Writes the row. Call it before the process begins any work, and then every kRenewPeriod.
  Result<void> Renew();
  // Deletes the row, so that other processes take the unfinished work at once. Call it when the
  // process ends.
  Result<void> Release();
  // Returns whether the process with this id has ended, so that another process may take its work.
  // An empty id is dead: releases before 0.2 wrote no owner. This process is alive.
  Result<bool> IsDead(const std::string& id) const;
  // Returns whether no other owner lives.
  Result<bool> IsAlone() const;
  // Deletes the rows of other owners that expired at least kForget ago, at most kBatch of them.
  // Returns their number.
  Result<size_t> DeleteExpired();

  static constexpr std::chrono::hours kForget{24};
  static constexpr size_t kBatch = 1000;

 private:
  bool IsDead(const v1::OwnerRow& row) const;

  MetaStore& meta_;
  const StoreClock& clock_;
  const bool exclusive_;
  const std::string id_;
};

}  // namespace outport::store
