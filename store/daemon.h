#pragma once

#include <memory>
#include <string>

#include "registry/base/process.h"
#include "registry/base/result.h"
#include "store/config.h"

namespace outport::store {

// A running store: the registry's port, the fleet's port and the operations port over one data
// folder. Opens the folder, settles what an earlier process left, binds the ports and serves.
// Everything that can be wrong with the configuration, the folder or the ports is told here: the
// error names the thing and the mend. Blocks.
Result<std::unique_ptr<Daemon>> StartStore(const Config& config, const std::string& version);

}  // namespace outport::store
