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

// Says which rows a scan returns: at most `limit` rows, in byte order of their keys. Their keys
// begin with `prefix` and are greater than `after`. If `after` is empty, the scan starts at the
// first key. The scan ends with the row by which the total size of keys and values exceeds
// `limit_bytes`. So a scan with such a limit may end early: only a scan without a result proves
// that no rows remain.
struct ScanRange {
  std::string prefix = {};
  std::string after = {};
  size_t limit = 1000;
  size_t limit_bytes = SIZE_MAX;
};

// A point of one of the two logs: the number of a record, and a hash over all records up to that
// record. hash(0) is 32 zero bytes, and hash(n) = SHA-256(hash(n-1) || record n).
struct LogPosition {
  uint64_t sequence = 0;
  std::array<std::byte, 32> hash{};
  bool operator==(const LogPosition&) const = default;
};

struct LogRecord {
  LogPosition position;
  std::string record;
};

// Returns the position of `record`, which follows the record at `previous`.
LogPosition NextPosition(const LogPosition& previous, std::string_view record);

// Reads the rows and the two logs of a MetaStore. Safe for several threads. Every method may block.
class MetaView {
 public:
  virtual ~MetaView() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  virtual Result<std::vector<KeyValue>> Scan(const ScanRange& range) const = 0;
  // Returns the position of the change log's last record in this view.
  virtual Result<LogPosition> Head() const = 0;
  // Returns the records of the change log from number `from` on, in order and without gaps. Returns
  // at most `limit` records with about `limit_bytes` bytes. The result contains the first of these
  // records, whatever its size. The log's oldest records may have been deleted. So ReadLog() starts
  // with the first existing record whose number is at least `from`: compare that number. To start
  // far below the oldest record may cost time, because the database steps over deleted records.
  virtual Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                                 size_t limit_bytes) const = 0;
  // These two methods read the audit log, as Head() and ReadLog() read the change log.
  virtual Result<LogPosition> AuditHead() const = 0;
  virtual Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                                   size_t limit_bytes) const = 0;
};

// One transaction. For one thread at a time. A transaction that is destroyed before Commit() is
// rolled back. Get, GetForUpdate and Scan see the transaction's own writes. Every method may block.
class MetaTransaction {
 public:
  virtual ~MetaTransaction() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) = 0;
  // Reads the row and locks its key until the transaction ends. Locks the key even if the row does
  // not exist. To avoid deadlocks, lock in byte order of the keys. Returns kDeadlineExceeded if
  // another transaction keeps the lock for one second. The caller should then roll back and retry.
  virtual Result<std::optional<std::string>> GetForUpdate(std::string_view key) = 0;
  virtual Result<std::vector<KeyValue>> Scan(const ScanRange& range) = 0;
  // Put() and Delete() lock the key, as GetForUpdate() does.
  virtual Result<void> Put(std::string_view key, std::string_view value) = 0;
  virtual Result<void> Delete(std::string_view key) = 0;
  // Adds a record to the change log. Commit() assigns its number.
  virtual void Append(std::string record) = 0;
  // Adds a record to the audit log. Commit() assigns its number, and shows the record to readers
  // together with the transaction's writes.
  virtual void Audit(std::string record) = 0;
  // These two methods delete the records `first` to `last` of a log, together with the writes of
  // the transaction. They lock a key for each record, so delete many records in several
  // transactions. REQUIRES: `first` is the log's oldest record, and at least one record remains.
  virtual Result<void> TrimChanges(uint64_t first, uint64_t last) = 0;
  virtual Result<void> TrimAudit(uint64_t first, uint64_t last) = 0;
  enum class Urgency {
    kNormal,    // while the disk is full, Commit() returns kNoSpace, and the store stays writable
    kMustPass,  // deletes, takes access away, or is needed for that: may use the last disk space
  };
  // Sets the urgency of the commit; kNormal by default. A store that reserves no space for urgent
  // commits ignores it.
  virtual void SetUrgency(Urgency /*urgency*/) {}
  enum class Durability {
    kSynced,    // after Commit() has returned, the commit survives a power cut
    kBuffered,  // survives a kill, but no power cut; a commit with log records is kSynced
  };
  // Commits everything or nothing. Log records get the next numbers of their log, in the order of
  // the commits. Returns the position of the last change that this transaction appended. If it
  // appended none, returns the change log's head. After an error, readers see nothing of the
  // transaction. After a failed write to the disk, the store rejects all further commits with
  // kUnavailable. The failed write may become visible when the store is opened again. REQUIRES: not
  // called before.
  virtual Result<LogPosition> Commit(Durability durability = Durability::kSynced) = 0;
};

// An ordered key-value store with transactions, a change log and an audit log. It knows no rules of
// the registry. Keys that start with "change/" or "audit/" and the keys "head" and "audit-head"
// belong to the logs. A read outside a transaction sees only committed rows. It sees the rows of a
// kSynced commit only after their sync. The store outlives its transactions and views. Safe for
// several threads. Every method but Head, AuditHead, HeadChanged and WhyReadOnly may block: call it
// through Blocking().
class MetaStore : public MetaView {
 public:
  virtual std::unique_ptr<MetaTransaction> Begin() = 0;
  // Returns a view of the store at this moment. Later commits do not change the view. A view
  // occupies memory and disk space: destroy it within minutes.
  virtual std::unique_ptr<MetaView> Snapshot() = 0;
  // These two methods return the position of a log's last synced record. All earlier records are
  // synced, too. They do not block.
  Result<LogPosition> Head() const override = 0;
  Result<LogPosition> AuditHead() const override = 0;
  // Returns the reason why the store rejects all commits, or nullopt if it accepts commits. Does
  // not block.
  virtual std::optional<Error> WhyReadOnly() const = 0;
  // The store notifies this notifier after Head() has moved.
  virtual Notifier& HeadChanged() = 0;
};

}  // namespace outport
