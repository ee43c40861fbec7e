#pragma once

#include <optional>
#include <set>
#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/node_scope.h"

namespace outport::store {

// Whether the log has exactly this point: the same number with the same history before it. Blocks.
Result<bool> HasPoint(const MetaStore& meta, const std::string& epoch, const v1::Position& point);

// Reads the change log from a point on, as one node is told of it. For one thread at a time; what
// it borrows outlives it.
class LogReader {
 public:
  LogReader(const MetaStore& meta, const NodeScope& scope, LogPosition from)
      : meta_(meta), scope_(scope), at_(from) {}

  // Up to where it has read.
  uint64_t sequence() const { return at_.sequence; }
  // The next message, a small one: a batch; before it, in batches that end where they begin, what
  // else follows from its changes. Blocks. REQUIRES: the log has a record behind sequence().
  Result<v1::StoreMessage> Next();

 private:
  // What was read of the log, and what is told before it: the members of groups whose grants
  // change.
  struct Prepared {
    v1::StoreMessage message;
    LogPosition to;
    std::set<std::string> groups;
    std::string after;  // the last user that was looked at, of the first group
  };
  Result<Prepared> Read() const;
  // Some members of the first group; it goes with its last ones.
  Result<v1::StoreMessage> NextMembers(Prepared& prepared) const;

  const MetaStore& meta_;
  const NodeScope& scope_;
  LogPosition at_;
  std::optional<Prepared> prepared_;
};

}  // namespace outport::store
