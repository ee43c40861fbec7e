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

// The rows that a scan returns: at most `limit` rows, in byte order of their keys. Their keys begin
// with `prefix` and are greater than `after`; with an empty `after` the scan starts at the first.
// The scan ends with the row that makes keys and values exceed `limit_bytes`. With this limit, only
// a scan that returns no row proves that there are no more.
struct ScanRange {
  std::string prefix = {};
  std::string after = {};
  size_t limit = 1000;
  size_t limit_bytes = SIZE_MAX;
};

// A point of one of the two logs: the number of a record, and a hash over all records up to it:
// hash(n) = SHA-256(hash(n-1) || record n), hash(0) = 32 zero bytes.
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

// Reads a MetaStore as it is at one moment. Safe for several threads. Every method may block.
class MetaView {
 public:
  virtual ~MetaView() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  virtual Result<std::vector<KeyValue>> Scan(const ScanRange& range) const = 0;
  // Returns the position of the change log's last record in this view.
  virtual Result<LogPosition> Head() const = 0;
  // Returns the records of the change log from number `from` on, in order and without gaps: at most
  // `limit` records, and about `limit_bytes` bytes, but at least one record if there is one.
  virtual Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                                 size_t limit_bytes) const = 0;
  // Read the audit log in the same way. Its oldest records may have been deleted: ReadAudit starts
  // with the first record that exists from `from` on.
  virtual Result<LogPosition> AuditHead() const = 0;
  virtual Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                                   size_t limit_bytes) const = 0;
};

// One transaction. For one thread at a time. Destroying it before Commit() rolls it back. Get,
// GetForUpdate and Scan see its own writes. Every method may block.
class MetaTransaction {
 public:
  virtual ~MetaTransaction() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) = 0;
  // Reads the row and locks its key until the transaction ends, even if there is no row. To avoid
  // deadlocks, lock in byte order of the keys. kDeadlineExceeded after a wait of one second: roll
  // back and retry.
  virtual Result<std::optional<std::string>> GetForUpdate(std::string_view key) = 0;
  virtual Result<std::vector<KeyValue>> Scan(const ScanRange& range) = 0;
  // Put and Delete lock the key, as GetForUpdate does.
  virtual Result<void> Put(std::string_view key, std::string_view value) = 0;
  virtual Result<void> Delete(std::string_view key) = 0;
  // Adds a record to the change log. Commit() assigns its number.
  virtual void Append(std::string record) = 0;
  // Adds a record to the audit log. Commit() assigns its number. The record becomes visible
  // together with the writes.
  virtual void Audit(std::string record) = 0;
  // Deletes the records `first` to `last` of the audit log. REQUIRES: they are its oldest records,
  // and at least one record remains.
  virtual Result<void> TrimAudit(uint64_t first, uint64_t last) = 0;
  enum class Durability {
    kSynced,    // survives a power cut when Commit returns
    kBuffered,  // survives the process, but no power cut; kSynced if there are log records
  };
  // Commits all or nothing. Log records get the next numbers of their log, in the order of the
  // commits. Returns the position of this transaction's last change, or of the change log's head if
  // it appended none. After an error nothing is visible. After a failed write the store rejects all
  // further commits (kUnavailable), and the failed write may become visible when the store is
  // opened again. REQUIRES: not called before.
  virtual Result<LogPosition> Commit(Durability durability = Durability::kSynced) = 0;
};

// An ordered key-value store with transactions, a change log and an audit log. It knows no rules of
// the registry. Keys that start with "change/" or "audit/" and the keys "head" and "audit-head"
// belong to the logs. Reads outside a transaction see only committed rows, and rows committed with
// kSynced only once they are synced. The store outlives its transactions and views. Safe for
// several threads. Every method but Head, AuditHead, HeadChanged and WhyReadOnly may block: call it
// through Blocking().
class MetaStore : public MetaView {
 public:
  virtual std::unique_ptr<MetaTransaction> Begin() = 0;
  // Returns a view that does not change. It holds resources: keep it for minutes at most.
  virtual std::unique_ptr<MetaView> Snapshot() = 0;
  // Return the position of the log's last synced record. All earlier records are synced, too. Do
  // not block.
  Result<LogPosition> Head() const override = 0;
  Result<LogPosition> AuditHead() const override = 0;
  // Returns why the store rejects all commits, or nullopt if it does not. Does not block.
  virtual std::optional<Error> WhyReadOnly() const = 0;
  // Is notified after Head() has moved.
  virtual Notifier& HeadChanged() = 0;
};

}  // namespace outport
