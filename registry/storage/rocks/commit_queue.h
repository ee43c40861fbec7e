#pragma once

#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/write_batch.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/storage/meta_store.h"
#include "registry/storage/rocks/ballast.h"

namespace outport {

// The records that one transaction adds to the two logs.
struct LogRecords {
  std::vector<std::string> changes;
  std::vector<std::string> audit;
  bool Empty() const { return changes.empty() && audit.empty(); }
};

// The positions of the last records of the two logs.
struct LogHeads {
  LogPosition changes;
  LogPosition audit;
};

// Writes the commits of several threads together, in the order of their arrival.
//
// The first commit in the queue is the leader. Its thread forms a group of all commits that are in
// the queue at that moment. The leader gives their records the next numbers and the running hash.
// It puts the writes, the log rows and the heads of the logs into one batch. RocksDB appends the
// batch to its WAL, syncs the WAL, and only then shows the batch to readers. Then the leader moves
// the heads and wakes the group, and the next commit in the queue becomes the leader.
//
// So numbers are dense and in commit order, a head always matches its rows, many commits cost one
// sync, and no reader sees a record before its sync.
//
// After a failed write the state of the disk is unknown. The batch may or may not be in the WAL,
// RocksDB would use its own sequence numbers twice, and the kernel forgets which bytes a failed
// fsync lost. So the queue rejects all later commits, and allows reads. Only the next start finds
// out whether the batch was written. All commits of the failed group return the error.
//
// Safe for several threads. Blocks for as long as the disk needs.
class CommitQueue {
 public:
  // `db` outlives the queue. `heads` are the positions of the last records of the logs in `db`. A
  // null `ballast` admits all commits.
  CommitQueue(rocksdb::TransactionDB& db, const LogHeads& heads, std::unique_ptr<Ballast> ballast)
      : db_(db), ballast_(std::move(ballast)), heads_(heads) {}

  // Commits the writes and the records of a transaction. The transaction must keep its locks until
  // this call returns. A commit with records is always synced. Returns the end of the change log
  // after this commit. While the disk is full, returns kNoSpace for a commit that need not pass;
  // this stops nothing.
  Result<LogPosition> Commit(const rocksdb::WriteBatch& writes, LogRecords records, bool synced,
                             MetaTransaction::Urgency urgency);
  LogHeads Heads() const;
  // Returns the reason why the queue rejects all commits, or nullopt if it accepts commits.
  std::optional<Error> WhyStopped() const;
  Notifier& HeadChanged() { return head_changed_; }

 private:
  struct Waiting {
    const rocksdb::WriteBatch& writes;
    LogRecords records;
    bool synced;
    LogPosition position = {};
    bool done = false;
    std::optional<Error> error = {};
    CondVar woken = {};
  };
  using Group = std::vector<Waiting*>;

  Group NextGroup() OUTPORT_REQUIRES_LOCK(mutex_);
  // Writes a group of commits and sets the position of each. Returns the new heads of the logs.
  Result<LogHeads> Write(const Group& group, LogHeads heads);
  void Finish(const Group& group, const std::optional<Error>& error) OUTPORT_REQUIRES_LOCK(mutex_);

  rocksdb::TransactionDB& db_;
  const std::unique_ptr<Ballast> ballast_;
  mutable Mutex mutex_;
  std::deque<Waiting*> queue_ OUTPORT_GUARDED_BY(mutex_);  // at most one commit of each thread
  bool leading_ OUTPORT_GUARDED_BY(mutex_) = false;
  LogHeads heads_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> failed_ OUTPORT_GUARDED_BY(mutex_);  // the failure that stopped the queue
  Notifier head_changed_;
};

}  // namespace outport
