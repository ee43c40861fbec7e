#pragma once

#include "control/console/table.h"
#include "outport/v1/admin.pb.h"

namespace outport::control {

// The table of nodes that `node list` and `status` print.
Table MakeNodeTable();
void AddNode(Table& table, const v1::NodeInfo& node);

}  // namespace outport::control
