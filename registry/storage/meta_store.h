#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/notifier.h"
#include "registry/base/result.h"

namespace outport {

struct KeyValue {
  std::string key;
  std::string value;
};

// Which rows a scan returns: keys that begin with `prefix` and are greater than `after` (empty:
// from the first), in byte order, at most `limit` of them. The row whose key and value take the
// sum past `limit_bytes` is the last; where rows may be large, an end is known by no row at all.
struct ScanRange {
  std::string prefix = {};
  std::string after = {};
  size_t limit = 1000;
  size_t limit_bytes = SIZE_MAX;
};

// A point of one of the two logs: the number of the last record, and a hash that runs over all
// records up to it: hash(n) = SHA-256(hash(n-1) || record n), hash(0) = 32 zero bytes.
struct LogPosition {
  uint64_t sequence = 0;
  std::array<std::byte, 32> hash{};
  bool operator==(const LogPosition&) const = default;
};

struct LogRecord {
  LogPosition position;
  std::string record;
};

// The position of `record`, which follows the one at `previous`.
LogPosition NextPosition(const LogPosition& previous, std::string_view record);

// What can be read, at one moment. Safe for several threads; may block.
class MetaView {
 public:
  virtual ~MetaView() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  virtual Result<std::vector<KeyValue>> Scan(const ScanRange& range) const = 0;
  // The last record of this view's log.
  virtual Result<LogPosition> Head() const = 0;
  // Records `from`.., in order, without gaps, at most `limit` of them and at most about
  // `limit_bytes` of records (always at least one if there is one).
  virtual Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                                 size_t limit_bytes) const = 0;
  // The same two for the audit log. Its oldest rows may have been deleted: it begins with the first
  // that is there from `from` on.
  virtual Result<LogPosition> AuditHead() const = 0;
  virtual Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                                   size_t limit_bytes) const = 0;
};

// For one thread at a time. Destroying it uncommitted rolls it back. It sees its own writes in Get,
// GetForUpdate and Scan. Every method may block.
class MetaTransaction {
 public:
  virtual ~MetaTransaction() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) = 0;
  // Locks the key, present or not, until the transaction ends. To stay free of deadlocks, take
  // locks in byte order of the keys. kDeadlineExceeded after a second's wait: roll back and try
  // again.
  virtual Result<std::optional<std::string>> GetForUpdate(std::string_view key) = 0;
  virtual Result<std::vector<KeyValue>> Scan(const ScanRange& range) = 0;
  // Put and Delete lock the key as GetForUpdate does.
  virtual Result<void> Put(std::string_view key, std::string_view value) = 0;
  virtual Result<void> Delete(std::string_view key) = 0;
  // Adds a record to the change log. Commit gives it its number.
  virtual void Append(std::string record) = 0;
  // Adds a record to the audit log, in the same way: numbered, chained and written by the commit,
  // with the writes or not at all.
  virtual void Audit(std::string record) = 0;
  // Deletes the records `first` to `last` of the audit log. REQUIRES: they are its oldest records,
  // and at least one record remains.
  virtual Result<void> TrimAudit(uint64_t first, uint64_t last) = 0;
  enum class Durability {
    kSynced,    // survives a power cut when Commit returns
    kBuffered,  // survives the process, not a power cut; with records of a log it is kSynced
  };
  // All or nothing. Records get the next numbers of their log, in the order of the commits. Returns
  // the position of this transaction's last change, or of the change log's head if it appended
  // none. On an error
  // nothing of it becomes visible; if the disk failed, the store takes no more commits
  // (kUnavailable), and what was being written then may be there once it is opened again.
  // REQUIRES: not called before.
  virtual Result<LogPosition> Commit(Durability durability = Durability::kSynced) = 0;
};

// An ordered key-value store with transactions, a change log and an audit log; all registry rules
// live above it. Keys starting with "change/" or "audit/" and the keys "head" and "audit-head"
// belong to the logs; of the audit log, rows may be deleted from its beginning, but never all.
// Reads outside a transaction see only what is committed and, where it was committed kSynced,
// synced. It outlives its transactions and views. Safe for several threads; every method but Head,
// AuditHead, HeadChanged and WhyReadOnly may block: reach it through Blocking().
class MetaStore : public MetaView {
 public:
  virtual std::unique_ptr<MetaTransaction> Begin() = 0;
  // A view that does not change. Holds resources: keep it for minutes at most.
  virtual std::unique_ptr<MetaView> Snapshot() = 0;
  // The last synced record: always a complete prefix of the log. Does not block.
  Result<LogPosition> Head() const override = 0;
  Result<LogPosition> AuditHead() const override = 0;
  // Why no commit is taken any more, if that is so; does not block.
  virtual std::optional<Error> WhyReadOnly() const = 0;
  // Notified after Head() has moved.
  virtual Notifier& HeadChanged() = 0;
};

}  // namespace outport
