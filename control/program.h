#pragma once

#include "control/console/invocation.h"

namespace outport::control {

// Runs outportctl: parses the command line, runs one command and returns the exit status. The
// status is 0 on success, 1 after a failure and 2 for a wrong command line. A failure prints one
// line on `streams.err`: what failed, why, and what to do. Blocks.
int Run(int argc, const char* const* argv, Streams streams);

}  // namespace outport::control
