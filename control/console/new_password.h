#pragma once

#include <iosfwd>
#include <string>

#include "registry/base/result.h"

namespace outport::control {

// A new password: from a terminal asked for twice, without echo; else the first line of `input`, a
// file descriptor. Prompts go to `prompts`. kInvalidArgument if there is none, or the two differ;
// kCancelled after an interrupt, with the terminal as it was.
Result<std::string> ReadNewPassword(int input, std::ostream& prompts);

// One that nobody guesses: 120 random bits as 24 letters and digits, without those that look alike.
std::string GeneratePassword();

}  // namespace outport::control
