#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "registry/base/result.h"

namespace outport::node {

// Adds the command `join` to outport-node. Parsing it sets `chosen` to the function that runs it.
// `app` and `chosen` outlive the run.
void AddJoinCommand(CLI::App& app, std::function<Result<void>()>& chosen,
                    const std::string& version);

}  // namespace outport::node
