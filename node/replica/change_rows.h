#pragma once

#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"

namespace outport::node {

// The effect of a change on one row of the node.
struct RowChange {
  std::string key;
  std::optional<std::string> value;  // nullopt: the change deletes the row
  // False for access rows and the trust bundle, which belong to no generation. They apply at once,
  // also in a snapshot.
  bool in_generation = true;
};

// Returns nullopt for a change that affects no row: a tombstone, or a kind that this version does
// not know. kCorrupt for an invalid name or digest.
Result<std::optional<RowChange>> ToRowChange(const v1::Change& change);

}  // namespace outport::node
