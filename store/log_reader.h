#pragma once

#include <memory>
#include <vector>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/node_scope.h"

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
  // The next batch, small; before it, in batches that end where they begin, what else follows from
  // its changes. Blocks. REQUIRES: the log has a record behind sequence().
  Result<std::vector<v1::StoreMessage>> Next();

 private:
  Result<void> AddMembers(const v1::Change& group, std::vector<v1::StoreMessage>& messages) const;

  const MetaStore& meta_;
  const NodeScope& scope_;
  LogPosition at_;
};

}  // namespace outport::store
