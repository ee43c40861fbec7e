#include "store/replication/node_positions.h"

#include <algorithm>
#include <utility>

#include "outport/v1/collection.pb.h"
#include "registry/records/keys.h"
#include "registry/records/row_scan.h"
#include "registry/records/rows.h"

namespace outport::store {

Result<std::vector<NodePosition>> ReadNodePositions(const MetaView& meta,
                                                    const ConnectedNodes& nodes) {
  std::vector<NodePosition> positions;
  auto add = [&](const v1::NodeRow& member) -> Result<void> {
    TRY(const auto noted, ReadRow<v1::AcknowledgedRow>(meta, keys::Acknowledged(member.name())));
    NodePosition& position = positions.emplace_back();
    position.node = member.name();
    position.acknowledged = noted.has_value() ? noted->sequence() : 0;
    if (const auto presence = nodes.Find(member.name())) {
      position.connected = presence->connected;
      // A new stream has reported nothing yet. Then the row is newer.
      position.acknowledged = std::max(position.acknowledged, presence->acknowledged_sequence);
      if (presence->connected) position.needs_after = presence->reads_after;
    }
    position.needs_after = std::max(position.needs_after, position.acknowledged);
    position.is_noted = noted.has_value() && noted->sequence() == position.acknowledged;
    return {};
  };
  TRY_VOID(ForEachRow<v1::NodeRow>(meta, keys::kNodes, add));
  return positions;
}

Result<void> NoteNodePositions(MetaTransaction& transaction,
                               const std::vector<NodePosition>& positions) {
  for (const NodePosition& position : positions) {
    if (position.is_noted || position.acknowledged == 0) continue;
    v1::AcknowledgedRow row;
    row.set_sequence(position.acknowledged);
    TRY_VOID(WriteRow(transaction, keys::Acknowledged(position.node), row));
  }
  ScanRange range{.prefix = std::string(keys::kAcknowledged)};
  for (bool more = true; more;) {
    TRY(const std::vector<KeyValue> rows, transaction.Scan(range));
    for (const KeyValue& row : rows) {
      const std::string_view node = keys::After(row.key, keys::kAcknowledged);
      if (!std::ranges::binary_search(positions, node, {}, &NodePosition::node)) {
        TRY_VOID(transaction.Delete(row.key));
      }
      range.after = row.key;
    }
    more = rows.size() == range.limit;
  }
  return {};
}

}  // namespace outport::store
