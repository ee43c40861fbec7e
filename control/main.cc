#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "control/program.h"
#include "registry/base/process.h"

int main(int argc, char** argv) {
  outport::OpenStandardStreams();
  // outportctl prints each error as one line. gRPC must not print errors of its own.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  outport::ExitProcess(outport::control::Run(argc, argv,
                                             {.input = STDIN_FILENO,
                                              .out = std::cout,
                                              .err = std::cerr,
                                              .terminal = ::isatty(STDERR_FILENO) != 0}));
}
