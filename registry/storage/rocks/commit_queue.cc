#include "registry/storage/rocks/commit_queue.h"

#include "registry/storage/meta_log.h"
#include "registry/storage/rocks/rocks_read.h"

namespace outport {
namespace {

// The limits of a group. The commit that reaches or exceeds one of them is the group's last.
constexpr size_t kMaxGroup = 256;
constexpr size_t kMaxGroupBytes = 4 << 20;

// Appends a copy of one batch to another batch.
class Append final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Append(rocksdb::WriteBatch& to) : to_(to) {}
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    return to_.Put(key, value);
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice& key) override { return to_.Delete(key); }
  // RocksDB begins a transaction's batch with this mark, for two-phase commits. We use none.
  rocksdb::Status MarkNoop(bool) override { return rocksdb::Status::OK(); }

 private:
  rocksdb::WriteBatch& to_;
};

Error Stopped(const Error& cause) {
  return Error{ErrorCode::kUnavailable, "metadata is read-only after a failed write (" +
                                            cause.message +
                                            "); repair the disk or free space, then restart"};
}

// Adds the records after `position`, and moves `position` to the last of them.
rocksdb::Status PutRecords(rocksdb::WriteBatch& batch, const LogRows& log,
                           std::vector<std::string>& records, LogPosition& position) {
  for (std::string& record : records) {
    position = NextPosition(position, record);
    const rocksdb::Status status =
        batch.Put(ToSlice(log.Key(position.sequence)), EncodeRecord({position, std::move(record)}));
    if (!status.ok()) return status;
  }
  return rocksdb::Status::OK();
}

rocksdb::Status PutHead(rocksdb::WriteBatch& batch, const LogRows& log, const LogPosition& before,
                        const LogPosition& head) {
  if (head == before) return rocksdb::Status::OK();
  return batch.Put(ToSlice(log.head), EncodeHead(head));
}

}  // namespace

Result<LogPosition> CommitQueue::Commit(const rocksdb::WriteBatch& writes, LogRecords records,
                                        bool synced, MetaTransaction::Urgency urgency) {
  if (ballast_ != nullptr) TRY_VOID(ballast_->Admit(urgency));
  const bool moves_heads = !records.Empty();
  Waiting mine{.writes = writes, .records = std::move(records), .synced = synced || moves_heads};
  Group group;
  LogHeads heads;
  {
    MutexLock lock(mutex_);
    queue_.push_back(&mine);
    // This wait has no deadline. The leader may be writing this commit already, and nobody can
    // cancel that write. So a caller that stopped waiting would not know whether its commit
    // succeeded. The wait ends, because the kernel ends the leader's write with success or an
    // error. Waiting callers occupy only threads of bounded pools.
    while (!mine.done && (leading_ || queue_.front() != &mine)) mine.woken.Wait(mutex_);
    if (!mine.done && failed_.has_value()) {
      group = NextGroup();
      Finish(group, Stopped(*failed_));
    }
    if (mine.done) {
      if (mine.error.has_value()) return *mine.error;
      return mine.position;
    }
    leading_ = true;
    group = NextGroup();
    heads = heads_;
  }
  const Result<LogHeads> result = Write(group, heads);
  {
    MutexLock lock(mutex_);
    leading_ = false;
    if (!result.has_value()) failed_ = result.error();
    if (result.has_value()) heads_ = *result;
    Finish(group, failed_);
  }
  if (!result.has_value()) return result.error();
  if (result->changes != heads.changes) head_changed_.Notify();
  return mine.position;
}

CommitQueue::Group CommitQueue::NextGroup() {
  Group group;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < kMaxGroup && bytes < kMaxGroupBytes) {
    Waiting* const next = queue_.front();
    queue_.pop_front();
    group.push_back(next);
    bytes += next->writes.GetDataSize();
    for (const std::string& record : next->records.changes) bytes += record.size();
    for (const std::string& record : next->records.audit) bytes += record.size();
  }
  return group;
}

Result<LogHeads> CommitQueue::Write(const Group& group, LogHeads heads) {
  rocksdb::WriteBatch batch;
  Append append(batch);
  rocksdb::Status status;
  rocksdb::WriteOptions options;
  options.sync = false;
  const LogHeads before = heads;
  for (Waiting* const commit : group) {
    if (status.ok()) status = commit->writes.Iterate(&append);
    if (status.ok()) status = PutRecords(batch, kChangeLog, commit->records.changes, heads.changes);
    if (status.ok()) status = PutRecords(batch, kAuditLog, commit->records.audit, heads.audit);
    commit->position = heads.changes;
    options.sync = options.sync || commit->synced;
  }
  if (status.ok()) status = PutHead(batch, kChangeLog, before.changes, heads.changes);
  if (status.ok()) status = PutHead(batch, kAuditLog, before.audit, heads.audit);
  // RocksDB need not lock again: the transactions hold the locks of their keys, and only this queue
  // writes log rows.
  rocksdb::TransactionDBWriteOptimizations optimizations;
  optimizations.skip_concurrency_control = true;
  if (status.ok()) status = db_.Write(options, optimizations, &batch);
  if (!status.ok()) return RocksError(status, "writing the metadata");
  return heads;
}

// Wakes the commits of the group while it holds the lock: the thread of a finished commit may
// destroy the commit as soon as the lock is free.
void CommitQueue::Finish(const Group& group, const std::optional<Error>& error) {
  for (Waiting* const commit : group) {
    commit->error = error;
    commit->done = true;
    commit->woken.NotifyOne();
  }
  if (!queue_.empty()) queue_.front()->woken.NotifyOne();
}

std::optional<Error> CommitQueue::WhyStopped() const {
  MutexLock lock(mutex_);
  if (!failed_.has_value()) return std::nullopt;
  return Stopped(*failed_);
}

LogHeads CommitQueue::Heads() const {
  MutexLock lock(mutex_);
  return heads_;
}

}  // namespace outport
