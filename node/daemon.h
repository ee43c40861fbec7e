#pragma once

#include <memory>
#include <string>

#include "node/membership/config.h"
#include "registry/base/process.h"
#include "registry/base/result.h"

namespace outport::node {

// A running node: the registry's port and the operations port over one data folder, following the
// store. Everything that can be wrong with the configuration, the folder or the ports is told here:
// the error names the thing and the mend. A store that is away is not wrong. Blocks.
Result<std::unique_ptr<Daemon>> StartNode(const Config& config, const std::string& version);

// What `serve` would find wrong, without taking the data folder or the ports.
Result<void> CheckNode(const Config& config);

}  // namespace outport::node
