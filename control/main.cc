#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "control/program.h"

int main(int argc, char** argv) {
  // One line says what went wrong; gRPC's own lines would stand before it.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  return outport::control::Run(argc, argv, {STDIN_FILENO, std::cout, std::cerr});
}
