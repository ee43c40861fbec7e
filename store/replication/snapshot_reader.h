#pragma once

#include <memory>
#include <string>

#include "outport/v1/replication.pb.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/node_scope.h"

namespace outport::store {

// Reads the rows of one view as SnapshotPart messages of bounded size, limited to one node's scope.
// Access rows come first, because nodes apply them at once. Then come repositories, manifests,
// referrers, links and tags, in this order, so that each row comes after the rows that it needs.
// For one thread at a time; Next() blocks.
class SnapshotReader {
 public:
  static Result<std::unique_ptr<SnapshotReader>> Open(MetaStore& meta, std::string epoch,
                                                      NodeScope scope);

  const LogPosition& position() const { return position_; }
  // Returns the next part, which may be empty. The last part has `last` set. REQUIRES: not called
  // after the last part.
  Result<v1::StoreMessage::SnapshotPart> Next();

 private:
  SnapshotReader(std::unique_ptr<MetaView> view, std::string epoch, LogPosition position,
                 NodeScope scope);

  const std::unique_ptr<MetaView> view_;
  const std::string epoch_;
  const LogPosition position_;
  const NodeScope scope_;
  size_t section_ = 0;
  std::string after_;  // the last key that was read from the section
};

}  // namespace outport::store
