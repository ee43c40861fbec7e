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

// The audit log as a file of JSON lines, and as lines for syslog:
//
//   {"sequence":2,"previous":"<hex>","hash":"<hex>","record":{…}}
//
// where hash is the SHA-256 of the 32 bytes of `previous` and the text of `record`, so that the
// file can be checked alone. It follows the log: a row says how far it got, and moves once the
// lines are synced, so no entry is left out; after a crash some may come twice. A file that would
// grow beyond its size is renamed to NAME.1, NAME.1 to NAME.2, and so on. Entries that the file has
// are trimmed from the log when there are more than `max_entries`.
//
// While the file cannot be written, entries stay in the log, and it tries again. Lines for which no
// syslog daemon is there are counted and lost to syslog; the file has them. Open() and Export() for
// one thread at a time; they block.
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

  // Opens or makes the file, and reads how far it is. A line that a crash cut short is dropped: its
  // entry comes again. Once, before anything else.
  Result<void> Open();
  // Writes what is new, and trims.
  Result<void> Export();
  // Does so again and again until it is cancelled.
  net::awaitable<void> FollowUntilCancelled();

 private:
  Result<void> OpenFile();
  Result<void> CutBrokenLine();
  Result<void> Rotate();
  Result<bool> ExportPage();
  Result<void> Append(const std::string& lines);
  Result<bool> Trim();
  Result<void> WriteState(MetaTransaction& transaction, const LogPosition& trimmed) const;
  void SendToSyslog(const std::vector<std::string>& lines);

  const Parts parts_;
  Syslog syslog_;
  std::unique_ptr<File> file_;  // nullptr: to be opened
  uint64_t size_bytes_ = 0;
  LogPosition exported_;
  LogPosition trimmed_;
  prometheus::Gauge& sequence_;
  RepeatedFailure export_failure_;
  RepeatedFailure syslog_failure_;
};

}  // namespace outport::store
