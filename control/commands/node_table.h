#pragma once

#include "control/console/table.h"
#include "outport/v1/admin.pb.h"

namespace outport::control {

// The nodes of the fleet as `node list` and `status` show them.
Table MakeNodeTable();
void AddNode(Table& table, const v1::NodeInfo& node);

}  // namespace outport::control
