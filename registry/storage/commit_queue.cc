#include "registry/storage/commit_queue.h"

#include "registry/storage/meta_log.h"
#include "registry/storage/rocks_read.h"

namespace outport {
namespace {

// A group ends with the commit that passes one of these.
constexpr size_t kMaxGroup = 256;
constexpr size_t kMaxGroupBytes = 4 << 20;

// Copies a batch behind another.
class Append final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Append(rocksdb::WriteBatch& to) : to_(to) {}
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    return to_.Put(key, value);
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice& key) override { return to_.Delete(key); }
  // A transaction's batch begins with one, for two-phase commits.
  rocksdb::Status MarkNoop(bool) override { return rocksdb::Status::OK(); }

 private:
  rocksdb::WriteBatch& to_;
};

Error Stopped(const Error& cause) {
  return Error{ErrorCode::kUnavailable,
               "the metadata takes no more changes since a write of it failed (" + cause.message +
                   "); mend the disk or make room on it, and start again"};
}

}  // namespace

Result<LogPosition> CommitQueue::Commit(const rocksdb::WriteBatch& writes,
                                        std::vector<std::string> records, bool synced) {
  const bool moves_head = !records.empty();
  Waiting mine{.writes = writes, .records = std::move(records), .synced = synced || moves_head};
  Group group;
  LogPosition head;
  {
    MutexLock lock(mutex_);
    queue_.push_back(&mine);
    // Without a deadline: a commit that is with the disk cannot be taken back, so whoever gave up
    // could not say what became of it. The leader's write ends, with success or an error, when the
    // kernel ends it, and those who wait hold threads of bounded pools.
    while (!mine.done && (leading_ || queue_.front() != &mine)) mine.woken.Wait(mutex_);
    if (!mine.done && failed_.has_value()) {
      group = TakeGroup();
      Finish(group, Stopped(*failed_));
    }
    if (mine.done) {
      if (mine.error.has_value()) return *mine.error;
      return mine.position;
    }
    leading_ = true;
    group = TakeGroup();
    head = head_;
  }
  const Result<LogPosition> result = Write(group, head);
  {
    MutexLock lock(mutex_);
    leading_ = false;
    if (!result.has_value()) failed_ = result.error();
    if (result.has_value()) head_ = *result;
    Finish(group, result);
  }
  if (!result.has_value()) return result.error();
  if (*result != head) head_changed_.Notify();
  return mine.position;
}

CommitQueue::Group CommitQueue::TakeGroup() {
  Group group;
  size_t bytes = 0;
  while (!queue_.empty() && group.size() < kMaxGroup && bytes < kMaxGroupBytes) {
    Waiting* const next = queue_.front();
    queue_.pop_front();
    group.push_back(next);
    bytes += next->writes.GetDataSize();
    for (const std::string& record : next->records) bytes += record.size();
  }
  return group;
}

Result<LogPosition> CommitQueue::Write(const Group& group, const LogPosition& head) {
  rocksdb::WriteBatch batch;
  Append append(batch);
  rocksdb::Status status;
  rocksdb::WriteOptions options;
  options.sync = false;
  LogPosition position = head;
  for (Waiting* const commit : group) {
    if (status.ok()) status = commit->writes.Iterate(&append);
    for (std::string& record : commit->records) {
      position = NextPosition(position, record);
      const std::string row = EncodeChange({position, std::move(record)});
      if (status.ok()) status = batch.Put(ChangeKey(position.sequence), row);
    }
    commit->position = position;
    options.sync = options.sync || commit->synced;
  }
  if (status.ok() && position != head) status = batch.Put(ToSlice(kHeadKey), EncodeHead(position));
  // The transactions hold the locks of their keys, and nobody else writes log rows.
  rocksdb::TransactionDBWriteOptimizations optimizations;
  optimizations.skip_concurrency_control = true;
  if (status.ok()) status = db_.Write(options, optimizations, &batch);
  if (!status.ok()) return RocksError(status, "writing the metadata");
  return position;
}

// Wakes under the lock: who is done may be gone as soon as the lock is free.
void CommitQueue::Finish(const Group& group, const Result<LogPosition>& result) {
  for (Waiting* const commit : group) {
    if (!result.has_value()) commit->error = result.error();
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

LogPosition CommitQueue::Head() const {
  MutexLock lock(mutex_);
  return head_;
}

}  // namespace outport
