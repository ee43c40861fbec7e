#pragma once

#include <memory>
#include <string>

#include "registry/base/process.h"
#include "registry/base/result.h"
#include "store/config.h"

namespace outport::store {

// Starts a store: the registry port, the fleet port and the operations port over one data folder.
// Opens the folder, completes or undoes unfinished work of an earlier process, binds the ports and
// serves. An error names the problem with the configuration, the folder or a port, and the fix.
// Blocks.
Result<std::unique_ptr<Daemon>> StartStore(const Config& config, const std::string& version);

}  // namespace outport::store
