#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "registry/base/result.h"

namespace outport::node {

// Adds `join` to outport-node. When it is parsed, `chosen` becomes what runs it. Both outlive the
// run.
void AddJoinCommand(CLI::App& app, std::function<Result<void>()>& chosen);

}  // namespace outport::node
