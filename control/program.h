#pragma once

#include "control/console/invocation.h"

namespace outport::control {

// outportctl: reads the command line, runs one command, and returns the exit status: 0, 1 after one
// line on `streams.err` that says what failed, why, and what to do, or 2 for a wrong command line.
int Run(int argc, const char* const* argv, Streams streams);

}  // namespace outport::control
