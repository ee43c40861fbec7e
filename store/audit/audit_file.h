#pragma once

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/file.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/repeated_failure.h"
#include "registry/storage/meta_store.h"
#include "store/audit/syslog.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"
#include "store/work/work_lease.h"

namespace outport::store {

// Exports the audit log to a file of JSON lines, and to syslog:
//
//   {"sequence":2,"previous":"<hex>","hash":"<hex>","record":{…}}
//
// The hash is the SHA-256 of the 32 bytes of `previous`, followed by the text of `record`. So
// anybody can check the file without the store. A row names the last exported entry. Export()
// updates the row only after the sync of the lines. So no entry is lost, but after a crash the file
// may have some entries twice. If new lines would make the file larger than its maximum size,
// Export() first renames the file to NAME.1, the old NAME.1 to NAME.2, and so on. If the log has
// more than `max_entries` entries, Export() deletes the oldest ones that are already in the file.
//
// While the file cannot be written, new entries stay in the audit log, and the next Export() writes
// them. If the syslog daemon does not accept a line, a metric counts that line, and no later call
// sends it again: the file has the entry.
//
// One process of those that share the metadata exports: the holder of the lease "audit-file". Each
// transaction that writes the row checks the fencing number. So a process that lost the lease
// during a write does not move the export back; its lines may be in the file twice.
//
// Open() and Export() are for one thread at a time, and block.
class AuditFile {
 public:
  struct Parts {
    MetaStore& meta;
    FileSystem& files;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    const StoreClock& clock;
    const Owner& owner;  // this process
    std::filesystem::path path;
    uint64_t max_size_bytes = 64 << 20;
    int64_t max_files = 10;
    uint64_t max_entries = 1000000;
    std::string syslog;  // the path of the daemon's socket; empty: send nothing to syslog
  };
  explicit AuditFile(Parts parts);

  // Creates the file if it does not exist. Fails if the file cannot be opened. Call it once, before
  // the other methods.
  Result<void> Open();
  // Writes new entries to the file and to syslog, and then trims the audit log. If this process has
  // just acquired the lease, first removes an incomplete last line, which a crash has left, and
  // writes that entry again. Does nothing if another process has the lease.
  Result<void> Export();
  // Calls Export() periodically, until the coroutine is cancelled.
  net::awaitable<void> FollowUntilCancelled();

 private:
  // Returns whether there are entries to export or to trim.
  Result<bool> HasWork();
  // Acquires or renews the lease. Returns false if another process has it. If another process may
  // have exported since, reads the row and opens the file again.
  Result<bool> Lead();
  Result<void> ReadState();
  Result<std::unique_ptr<File>> OpenOrCreate();
  Result<void> OpenFile();
  Result<void> TruncateIncompleteLine();
  Result<void> Rotate();
  Result<bool> ExportPage();
  Result<void> Append(const std::string& lines);
  Result<bool> Trim();
  // Returns the last entry that can be deleted from the log.
  uint64_t TrimTarget(const LogPosition& head) const;
  Result<void> WriteState(MetaTransaction& transaction, const LogPosition& trimmed) const;
  void SendToSyslog(const std::vector<std::string>& lines);

  const Parts parts_;
  WorkLease lease_;
  Syslog syslog_;
  uint64_t fence_ = 0;          // the fencing number with which the members below were read
  std::unique_ptr<File> file_;  // nullptr: the file is not open
  uint64_t size_bytes_ = 0;
  LogPosition exported_;
  LogPosition trimmed_;
  prometheus::Gauge& sequence_;
  RepeatedFailure export_failure_;
  RepeatedFailure syslog_failure_;
};

}  // namespace outport::store
