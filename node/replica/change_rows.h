#pragma once

#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"

namespace outport::node {

// The effect of a change on one row of the node.
struct RowChange {
  std::string key;
  std::optional<std::string> value;  // nullopt: delete the row
  // False for access rows and trust: they belong to no generation and apply at once, also in a
  // snapshot.
  bool in_generation = true;
};

// nullopt for a kind of change that this version does not know. kCorrupt for an invalid name or
// digest.
Result<std::optional<RowChange>> ToRowChange(const v1::Change& change);

}  // namespace outport::node
