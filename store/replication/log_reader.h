#pragma once

#include <optional>
#include <set>
#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/node_scope.h"

namespace outport::store {

// Returns the position of the last record that was trimmed from the change log, or the log's start
// if it was never trimmed. kCorrupt if the row is corrupt. Blocks.
Result<LogPosition> TrimmedPosition(const MetaView& meta);

// Returns whether a node at `point` can continue from the log of this epoch: the log has a record
// with the same sequence and the same hash, or was trimmed exactly up to there. Returns false if
// the log was trimmed past the point. kCorrupt if the log lacks a record that was not trimmed.
// Blocks.
Result<bool> HasPoint(MetaStore& meta, const std::string& epoch, const v1::Position& point);

// Reads the change log from a position on, limited to the rows in one node's scope. For one thread
// at a time. The arguments of the constructor outlive the reader.
class LogReader {
 public:
  LogReader(const MetaStore& meta, const NodeScope& scope, LogPosition from)
      : meta_(meta), scope_(scope), at_(from) {}

  // The sequence of the last change that Next() has covered.
  uint64_t sequence() const { return at_.sequence; }
  // Returns the next batch for the node, of at most about 64 KiB. Before a batch that changes the
  // grants of a group, Next() returns batches with the members of the group. In these extra
  // batches, `from` equals `to`. Returns kFailedPrecondition if the log was trimmed past
  // sequence(): then the node needs a snapshot. Blocks. REQUIRES: the log's head is after
  // sequence().
  Result<v1::StoreMessage> Next();

 private:
  // A batch from the log, and groups. Next() returns the members of these groups before the batch.
  struct Prepared {
    v1::StoreMessage message;
    LogPosition to;
    std::set<std::string> groups;
    std::string after;  // the key of the last user read for the first group
  };
  Result<Prepared> Read() const;
  Result<void> RequireNotTrimmed() const;
  // Returns a batch with some members of the first group. After the last members of the group,
  // removes the group from `prepared`.
  Result<v1::StoreMessage> NextMembers(Prepared& prepared) const;

  const MetaStore& meta_;
  const NodeScope& scope_;
  LogPosition at_;
  std::optional<Prepared> prepared_;
};

}  // namespace outport::store
