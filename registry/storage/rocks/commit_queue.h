#pragma once

#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/write_batch.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/storage/meta_store.h"

namespace outport {

// What one commit adds to the two logs.
struct LogRecords {
  std::vector<std::string> changes;
  std::vector<std::string> audit;
  bool Empty() const { return changes.empty() && audit.empty(); }
};

// Where the two logs end.
struct LogHeads {
  LogPosition changes;
  LogPosition audit;
};

// Writes the commits of several threads together, in the order they came.
//
// The first that waits leads: it takes all that wait by then, gives their records the next numbers
// and the running hash, and puts writes, log rows and the logs' heads into one batch, which
// RocksDB appends to its WAL, syncs, and only then shows to readers. Then the leader moves the
// heads and wakes the others, and the next in the queue leads. So numbers are dense and in commit
// order, head and state cannot diverge, a crowd of commits costs one sync, and no one ever sees a
// record that is not synced.
//
// After a failed write nothing is known: the batch may or may not be in the WAL, RocksDB would
// give its own sequence numbers a second time, and the kernel forgets what a failed fsync lost. So
// the queue refuses all commits from then on, reads go on, and opening the store again settles
// what was written. All of a failed group get the error.
//
// Safe for several threads. Blocks, for as long as the disk needs.
class CommitQueue {
 public:
  // `db` outlives it; `heads` are the logs' last records there.
  CommitQueue(rocksdb::TransactionDB& db, const LogHeads& heads) : db_(db), heads_(heads) {}

  // Commits what a transaction has written, and its records. The transaction keeps its locks until
  // this has returned. A commit with records is always synced. Returns where the change log ends
  // with this commit.
  Result<LogPosition> Commit(const rocksdb::WriteBatch& writes, LogRecords records, bool synced);
  LogHeads Heads() const;
  // Why all commits are refused, if they are.
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

  Group TakeGroup() OUTPORT_REQUIRES_LOCK(mutex_);
  // Sets the positions of the group, and returns where the logs end then.
  Result<LogHeads> Write(const Group& group, LogHeads heads);
  void Finish(const Group& group, const std::optional<Error>& error) OUTPORT_REQUIRES_LOCK(mutex_);

  rocksdb::TransactionDB& db_;
  mutable Mutex mutex_;
  std::deque<Waiting*> queue_ OUTPORT_GUARDED_BY(mutex_);  // at most one a thread
  bool leading_ OUTPORT_GUARDED_BY(mutex_) = false;
  LogHeads heads_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> failed_ OUTPORT_GUARDED_BY(mutex_);  // the write that stopped it
  Notifier head_changed_;
};

}  // namespace outport
