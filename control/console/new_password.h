#pragma once

#include <iosfwd>
#include <string>

#include "registry/base/result.h"

namespace outport::control {

// Reads a new password from the file descriptor `input`. On a terminal, prompts for it twice
// without echo; `prompts` receives the prompts. Otherwise reads the first line. Blocks.
// kInvalidArgument if the password is empty or the two differ; kCancelled after an interrupt, with
// the echo restored.
Result<std::string> ReadNewPassword(int input, std::ostream& prompts);

// A password of 120 random bits: 24 letters and digits without those that look alike.
std::string GeneratePassword();

}  // namespace outport::control
