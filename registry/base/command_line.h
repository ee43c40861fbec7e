#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace outport {

// What is wrong with the command line that `app` did not parse, what the command takes, and where
// its help is, in one line. Arguments that no command takes are counted and never repeated: one may
// be a password or a token; of an unknown option its name alone is told.
std::string ExplainUsage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace outport
