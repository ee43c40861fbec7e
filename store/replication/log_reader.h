#pragma once

#include <optional>
#include <set>
#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/node_scope.h"

namespace outport::store {

// Whether the log contains this position: the same sequence with the same hash, in this epoch.
// Blocks.
Result<bool> HasPoint(const MetaStore& meta, const std::string& epoch, const v1::Position& point);

// Reads the change log from a position on, limited to what one node's scope includes. For one
// thread at a time. The arguments of the constructor outlive it.
class LogReader {
 public:
  LogReader(const MetaStore& meta, const NodeScope& scope, LogPosition from)
      : meta_(meta), scope_(scope), at_(from) {}

  // The sequence of the last change that Next() has covered.
  uint64_t sequence() const { return at_.sequence; }
  // The next batch for the node, at most about 64 KiB. If a batch changes the grants of a group,
  // batches with the group's members come before it; their `from` equals their `to`. Blocks.
  // REQUIRES: the log has a record after sequence().
  Result<v1::StoreMessage> Next();

 private:
  // A batch from the log, and the groups whose members must be sent before it.
  struct Prepared {
    v1::StoreMessage message;
    LogPosition to;
    std::set<std::string> groups;
    std::string after;  // the key of the last user read for the first group
  };
  Result<Prepared> Read() const;
  // A batch with some members of the first group. Removes the group after its last members.
  Result<v1::StoreMessage> NextMembers(Prepared& prepared) const;

  const MetaStore& meta_;
  const NodeScope& scope_;
  LogPosition at_;
  std::optional<Prepared> prepared_;
};

}  // namespace outport::store
