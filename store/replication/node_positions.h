#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/fleet/connected_nodes.h"

namespace outport::store {

// The position of one node of the fleet in the change log.
struct NodePosition {
  std::string node;
  bool connected = false;
  uint64_t acknowledged = 0;  // the last change that the node acknowledged; 0: unknown
  // The change after which the node needs the log: where its stream reads, if that is later than
  // `acknowledged`. For example, a stream that sends a snapshot reads from the snapshot on.
  uint64_t needs_after = 0;
  bool is_noted = false;  // the node's row has `acknowledged`
};

// Returns the positions of all nodes of the fleet, in order of their names. ConnectedNodes is empty
// when the store starts. Until a node connects, its row acknowledged/<node> gives its position.
// Blocks.
Result<std::vector<NodePosition>> ReadNodePositions(const MetaView& meta,
                                                    const ConnectedNodes& nodes);

// Writes the acknowledged sequences into the rows, as part of the transaction. Deletes the rows of
// nodes that left the fleet.
Result<void> NoteNodePositions(MetaTransaction& transaction,
                               const std::vector<NodePosition>& positions);

}  // namespace outport::store
