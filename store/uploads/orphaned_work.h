#pragma once

#include <cstddef>
#include <string>

#include "registry/base/awaitable.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"
#include "store/content/blobs.h"
#include "store/uploads/uploads.h"
#include "store/work/owner_watch.h"
#include "store/work/work_lease.h"

namespace outport::store {

// Settles the unfinished work of other processes that end while this process runs: undoes their
// commits of blobs, and takes over their upload sessions. At its start a process does the same at
// once (Blobs::SettleIntents(), Uploads::Load()).
//
// OwnerWatch decides who has ended. One process at a time settles: the holder of the lease
// "orphaned-work", whose fencing number each transaction checks. A process acquires the lease only
// when it finds such work.
//
// Settle() is for one thread at a time, and blocks.
class OrphanedWork {
 public:
  // Uses the metadata, the clocks and the owner of `blobs`. The arguments outlive the OrphanedWork.
  OrphanedWork(Blobs& blobs, Uploads& uploads, BlockingPool& pool);

  struct Settled {
    size_t commits = 0;
    size_t uploads = 0;  // taken over or discarded
  };
  // Looks at the next page of commits, and the next page of upload sessions. After the last page it
  // begins again. So the work of a process is settled when OwnerWatch::kMargin and one or two
  // rounds over all pages have passed. A row that cannot be read holds up nothing else; the result
  // is then its error, after the work on the pages.
  Result<Settled> Settle();
  // Calls Settle() periodically, until the coroutine is cancelled.
  Awaitable<void> SettleUntilCancelled();

 private:
  // Returns whether this process may settle the work of that one.
  Result<bool> MaySettle(const std::string& owner);

  Blobs& blobs_;
  Uploads& uploads_;
  BlockingPool& pool_;
  const Log log_;
  OwnerWatch watch_;
  WorkLease lease_;
  std::string commits_after_;  // where the next page begins; empty: at the first row
  std::string uploads_after_;
  RepeatedFailure failure_;
};

}  // namespace outport::store
