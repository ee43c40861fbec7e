#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "node/membership/config.h"
#include "registry/base/data_format.h"
#include "registry/base/process.h"
#include "registry/base/result.h"

namespace outport::node {

// Starts a node: opens the data folder, serves the registry port and the operations port, and
// replicates from the store. Blocks. Returns an error, with the fix, for a problem with the
// configuration, the folder or the ports. An unreachable store is not an error.
Result<std::unique_ptr<Daemon>> StartNode(const Config& config, const std::string& version);

// Checks the configuration and the certificates without opening the data folder or the ports.
// Blocks.
Result<void> CheckNode(const Config& config);

// Reads the formats of a node's data folder, which a running node may use. kFailedPrecondition if
// the folder has not joined a fleet. See DataFormat::Read() for the other errors. Blocks.
Result<DataFormat> ReadNodeFormat(const std::filesystem::path& data);

}  // namespace outport::node
