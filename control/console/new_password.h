#pragma once

#include <iosfwd>
#include <string>

#include "registry/base/result.h"

namespace outport::control {

// Reads a new password from the file descriptor `input`. On a terminal, writes two prompts to
// `prompts`, and reads the password twice without echo. Otherwise reads the first line. Blocks.
// Returns kInvalidArgument if the password is empty or the two passwords differ, and kCancelled
// after an interrupt. The echo is restored in every case.
Result<std::string> ReadNewPassword(int input, std::ostream& prompts);

// Returns a password of 120 random bits: 24 letters and digits. Omits letters and digits that look
// alike.
std::string GeneratePassword();

}  // namespace outport::control
