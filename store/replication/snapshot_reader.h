#pragma once

#include <memory>
#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/node_scope.h"

namespace outport::store {

// Reads the replicated rows of one view as SnapshotPart messages of bounded size: users first, so
// that they apply first, then repositories, manifests, referrers, links and tags, so that a row
// comes after those it needs; all of it as one node is told of it. For one thread at a time; Next()
// blocks.
class SnapshotReader {
 public:
  static Result<std::unique_ptr<SnapshotReader>> Open(MetaStore& meta, std::string epoch,
                                                      NodeScope scope);

  const LogPosition& position() const { return position_; }
  // The next part, perhaps an empty one; the one with `last` set ends it. REQUIRES: not called
  // after that.
  Result<v1::StoreMessage::SnapshotPart> Next();

 private:
  SnapshotReader(std::unique_ptr<MetaView> view, std::string epoch, LogPosition position,
                 NodeScope scope);

  const std::unique_ptr<MetaView> view_;
  const std::string epoch_;
  const LogPosition position_;
  const NodeScope scope_;
  size_t section_ = 0;
  std::string after_;  // the last key read of the section
};

}  // namespace outport::store
