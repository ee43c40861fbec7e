#pragma once

#include "control/console/table.h"
#include "outport/v1/admin.pb.h"

namespace outport::control {

// Makes the empty table of nodes for `node list` and `status`.
Table MakeNodeTable();
void AddNode(Table& table, const v1::NodeInfo& node);

}  // namespace outport::control
