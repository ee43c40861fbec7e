#include "registry/storage/rocks/rocks_meta_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/transaction_db.h>

#include "registry/storage/rocks/commit_queue.h"
#include "registry/storage/rocks/rocks_log.h"
#include "registry/storage/rocks/rocks_read.h"
#include "registry/storage/rocks/rocks_transaction.h"

namespace outport {
namespace {

constexpr int64_t kLockTimeoutMs = 1000;
constexpr size_t kBlockCacheBytes = 64 << 20;
constexpr size_t kWriteBufferBytes = 16 << 20;
constexpr uint64_t kWalBytes = 64 << 20;
constexpr int kOpenFiles = 256;
constexpr double kBloomBits = 10;

class RocksView final : public MetaView {
 public:
  explicit RocksView(rocksdb::DB& db) : snapshot_(&db), reads_(db, snapshot_.snapshot()) {}

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return reads_.Get(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    return reads_.Scan(range);
  }
  Result<LogPosition> Head() const override { return reads_.Head(kChangeLog); }
  Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                         size_t limit_bytes) const override {
    return reads_.ReadLog(kChangeLog, from, limit, limit_bytes);
  }
  Result<LogPosition> AuditHead() const override { return reads_.Head(kAuditLog); }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                           size_t limit_bytes) const override {
    return reads_.ReadLog(kAuditLog, from, limit, limit_bytes);
  }

 private:
  rocksdb::ManagedSnapshot snapshot_;
  const RocksReads reads_;
};

class RocksMetaStore final : public MetaStore {
 public:
  RocksMetaStore(std::unique_ptr<rocksdb::TransactionDB> db, const LogHeads& heads,
                 std::unique_ptr<Ballast> ballast)
      : db_(std::move(db)), reads_(*db_), queue_(*db_, heads, std::move(ballast)) {}

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return reads_.Get(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    return reads_.Scan(range);
  }
  Result<LogPosition> Head() const override { return queue_.Heads().changes; }
  Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                         size_t limit_bytes) const override {
    return reads_.ReadLog(kChangeLog, from, limit, limit_bytes);
  }
  Result<LogPosition> AuditHead() const override { return queue_.Heads().audit; }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                           size_t limit_bytes) const override {
    return reads_.ReadLog(kAuditLog, from, limit, limit_bytes);
  }
  std::unique_ptr<MetaTransaction> Begin() override {
    rocksdb::TransactionOptions options;
    options.lock_timeout = kLockTimeoutMs;
    std::unique_ptr<rocksdb::Transaction> transaction(
        db_->BeginTransaction(rocksdb::WriteOptions(), options));
    return std::make_unique<RocksTransaction>(std::move(transaction), queue_);
  }
  std::unique_ptr<MetaView> Snapshot() override { return std::make_unique<RocksView>(*db_); }
  std::optional<Error> WhyReadOnly() const override { return queue_.WhyStopped(); }
  Notifier& HeadChanged() override { return queue_.HeadChanged(); }

 private:
  const std::unique_ptr<rocksdb::TransactionDB> db_;
  const RocksReads reads_;
  CommitQueue queue_;
};

// Readers must see a write only after the sync of its WAL record. RocksDB works in this order by
// default. Do not set pipelined or unordered writes, or a manual flush of the WAL: these options
// change the order.
rocksdb::Options MakeOptions(rocksdb::Env* env, const Log& log) {
  rocksdb::Options options;
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  options.OptimizeForSmallDb();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBits));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.write_buffer_size = kWriteBufferBytes;
  // Do not keep flushed memtables. RocksDB needs them only for transactions that validate against a
  // snapshot, and ours lock instead.
  options.max_write_buffer_size_to_maintain = 1;
  options.compression = rocksdb::kLZ4Compression;
  options.max_open_files = kOpenFiles;
  options.max_total_wal_size = kWalBytes;
  // After a power cut the WAL may have any bytes after its last synced record. So recovery keeps
  // the records before the first corrupt one and drops the rest.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.info_log = std::make_shared<RocksLog>(log);
  return options;
}

// Returns the position of the log's last record. kCorrupt if the head row has another position.
Result<LogPosition> EndOf(const LogRows& log, const RocksReads& reads,
                          const std::string& operation) {
  TRY(const LogPosition head, reads.Head(log));
  TRY(const LogPosition last, reads.LastRecord(log));
  if (head == last) return head;
  return Error{ErrorCode::kCorrupt,
               operation + ": the " + std::string(log.name) + "'s head is record " +
                   std::to_string(head.sequence) + ", but its last record is " +
                   std::to_string(last.sequence) +
                   (head.sequence == last.sequence ? " with another hash" : "")};
}

// Creates the database's folder and syncs the parent folder. RocksDB would create its folder
// without that sync.
rocksdb::Status MakeFolder(rocksdb::Env& env, const std::filesystem::path& folder) {
  rocksdb::Status status = env.CreateDirIfMissing(folder);
  if (!status.ok()) return status;
  const std::filesystem::path parent = folder.has_parent_path() ? folder.parent_path() : ".";
  std::unique_ptr<rocksdb::Directory> directory;
  status = env.NewDirectory(parent, &directory);
  return status.ok() ? directory->Fsync() : status;
}

}  // namespace

Result<std::unique_ptr<MetaStore>> OpenRocksMetaStore(const RocksOptions& options, const Log& log) {
  const std::string operation = "opening the metadata in " + options.folder.native();
  const rocksdb::Options rocks_options = MakeOptions(options.env, log);
  rocksdb::Status status = MakeFolder(*rocks_options.env, options.folder);
  if (!status.ok()) return RocksError(status, operation);

  rocksdb::TransactionDBOptions transaction_options;
  transaction_options.transaction_lock_timeout = kLockTimeoutMs;
  transaction_options.default_lock_timeout = kLockTimeoutMs;
  rocksdb::TransactionDB* opened = nullptr;
  status =
      rocksdb::TransactionDB::Open(rocks_options, transaction_options, options.folder, &opened);
  std::unique_ptr<rocksdb::TransactionDB> db(opened);
  if (!status.ok()) return RocksError(status, operation);

  const RocksReads reads(*db);
  TRY(const LogPosition changes, EndOf(kChangeLog, reads, operation));
  TRY(const LogPosition audit, EndOf(kAuditLog, reads, operation));
  std::unique_ptr<Ballast> ballast;
  const std::filesystem::path file = options.folder / "ballast";
  if (options.ballast_bytes > 0) {
    ballast = Ballast::Open(
        {.file = file, .size_bytes = options.ballast_bytes, .space = options.space}, log);
  } else {
    std::error_code ignored;  // without a file there is nothing to remove
    std::filesystem::remove(file, ignored);
  }
  return std::make_unique<RocksMetaStore>(std::move(db), LogHeads{changes, audit},
                                          std::move(ballast));
}

}  // namespace outport
