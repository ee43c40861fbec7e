#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace outport {

// Explains in one line why `app` could not parse the command line, what the command accepts, and
// how to get its help. The text counts unexpected arguments but never shows them, because an
// argument may be a password or a token. It shows only the name of an unknown option, not its
// value.
std::string ExplainUsage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace outport
