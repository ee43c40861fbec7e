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

namespace outport::store {

// Exports the audit log to a file of JSON lines, and to syslog:
//
//   {"sequence":2,"previous":"<hex>","hash":"<hex>","record":{…}}
//
// The hash is the SHA-256 of the 32 bytes of `previous` and the text of `record`, so that the file
// can be checked without the store. A row holds the last exported entry. It moves only after the
// lines are synced: no entry is lost, and after a crash some entries may be written twice. A file
// that would exceed its maximum size is renamed to NAME.1, NAME.1 to NAME.2, and so on. If the log
// has more than `max_entries` entries, exported ones are trimmed.
//
// While the file cannot be written, entries stay in the log, and the export is retried. If the
// syslog daemon accepts no line, the line is counted and not sent again; the file has it. Open()
// and Export() are for one thread at a time, and block.
class AuditFile {
 public:
  struct Parts {
    MetaStore& meta;
    FileSystem& files;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::filesystem::path path;
    uint64_t max_size_bytes = 64 << 20;
    int64_t max_files = 10;
    uint64_t max_entries = 1000000;
    std::string syslog;  // the daemon's socket; empty: none
  };
  explicit AuditFile(Parts parts);

  // Opens or creates the file, and reads the last exported entry. Removes a line that a crash left
  // incomplete: its entry is written again. Call it once, before the other methods.
  Result<void> Open();
  // Exports new entries, and trims the log.
  Result<void> Export();
  // Calls Export() periodically, until it is cancelled.
  net::awaitable<void> FollowUntilCancelled();

 private:
  Result<void> OpenFile();
  Result<void> TruncateIncompleteLine();
  Result<void> Rotate();
  Result<bool> ExportPage();
  Result<void> Append(const std::string& lines);
  Result<bool> Trim();
  Result<void> WriteState(MetaTransaction& transaction, const LogPosition& trimmed) const;
  void SendToSyslog(const std::vector<std::string>& lines);

  const Parts parts_;
  Syslog syslog_;
  std::unique_ptr<File> file_;  // nullptr: not open
  uint64_t size_bytes_ = 0;
  LogPosition exported_;
  LogPosition trimmed_;
  prometheus::Gauge& sequence_;
  RepeatedFailure export_failure_;
  RepeatedFailure syslog_failure_;
};

}  // namespace outport::store
