#pragma once

#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"

namespace outport::node {

// What a change does to the node's rows.
struct RowChange {
  std::string key;
  std::optional<std::string> value;  // nullopt: the row goes
  // Users, grants and revocations are the node's own rows, not a generation's: they apply at once,
  // also in a snapshot.
  bool in_generation = true;
};

// nullopt for a kind that this version does not know. kCorrupt for a name or digest that is none.
Result<std::optional<RowChange>> ToRowChange(const v1::Change& change);

}  // namespace outport::node
