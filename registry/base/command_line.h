#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace outport {

// Explains in one line why `app` could not parse the command line, what the command accepts, and
// how to get its help. Unexpected arguments are counted and never printed, because one may be a
// password or a token. Of an unknown option only the name is printed.
std::string ExplainUsage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace outport
