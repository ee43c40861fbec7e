#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "outport/v1/admin.pb.h"
#include "outport/v1/collection.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/repeated_failure.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/connected_nodes.h"
#include "store/replication/node_positions.h"
#include "store/work/store_clock.h"
#include "store/work/work_lease.h"

namespace outport::store {

// How much of the change log the store keeps.
struct LogBounds {
  // The log keeps what a node lacks, unless it is older than this, ...
  std::chrono::milliseconds max_age{std::chrono::days(30)};
  // ... or the log is larger than this.
  uint64_t max_size_bytes = 1 << 30;
  // The log keeps at least this many records, unless it is larger than `max_size_bytes`. So a node
  // that comes back from a copy of its folder, or whose position is not noted yet, can continue.
  uint64_t min_records = 10'000;
};

// Trims the change log behind the slowest node of the fleet, within bounds. A node that lacks a
// trimmed change gets a snapshot.
//
// The positions of the nodes are the acknowledged sequences, which the trimmer notes in rows, and
// the positions from which the open streams read. A node without a known position counts as one
// that lacks the whole log. A node that is already behind the trimmed position holds nothing back.
//
// The trimmer reads new records to measure their size. From time to time it adds a mark with the
// sequence and the time, so that the age of a record is known to about 1/128 of `max_age`, also
// after a restart. Each batch of deleted records is one transaction with the row that says how far
// the log is trimmed. The commits are not synced: a power cut may undo the last batches, but never
// separates the records from the row.
//
// One process of those that share the metadata trims: the holder of the lease "change-log".
//
// Trim() is for one thread at a time, Describe() for all. Both block.
class LogTrimmer {
 public:
  // The referenced objects outlive the trimmer.
  struct Parts {
    MetaStore& meta;
    const ConnectedNodes& nodes;
    const StoreClock& clock;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::string owner;  // the id of the process
    LogBounds bounds = {};
  };
  explicit LogTrimmer(Parts parts);

  // Notes the positions of the nodes, measures new records and deletes old ones, each to a bounded
  // number: the next call continues. Does nothing if another process has the lease.
  Result<void> Trim();
  // Calls Trim() every minute, until the coroutine is cancelled.
  net::awaitable<void> FollowUntilCancelled();

  // Returns the state of the log for the status.
  Result<v1::ChangeLogInfo> Describe() const;

 private:
  // One call of Trim().
  struct Round {
    v1::ChangeLogRow row;
    uint64_t head = 0;
    std::vector<NodePosition> positions;
  };
  Result<Round> Look() const;
  Result<void> NotePositions(const Round& round);
  Result<void> Measure(Round& round);
  void AddMark(Round& round) const;
  bool MarkIsDue(const v1::ChangeLogRow& row) const;
  // Returns the last record that nobody needs, or that is too old. The size of the log is not
  // considered.
  uint64_t TrimTarget(const Round& round) const;
  // Deletes at most one batch. Returns false if there was nothing to delete.
  Result<bool> TrimBatch(Round& round);
  Result<void> Write(const v1::ChangeLogRow& row, uint64_t trim_first, uint64_t trim_last);
  void LogPassedNodes(const Round& round, uint64_t trimmed_before) const;
  void SetGauges(const Round& round);

  const Parts parts_;
  WorkLease lease_;
  RepeatedFailure failure_;
  prometheus::Gauge& records_;
  prometheus::Gauge& bytes_;
  prometheus::Counter& trimmed_;
};

}  // namespace outport::store
