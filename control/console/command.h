#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "registry/base/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace outport::control {

struct Invocation;

// An option or an argument of a command; its methods restrict it. A value type that refers to the
// parser. Only command.cc includes the parser's header, because that header is slow to compile.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required() const;
  Option NotEmpty() const;     // refuses '', for example of a shell's variable without a value
  Option ShowDefault() const;  // in the help text
  Option OneOf(std::vector<std::string> values) const;
  Option Between(int64_t least, int64_t most) const;
  Option Excludes(Option other) const;
  Option Needs(Option other) const;

  bool given() const;  // REQUIRES: the command line is parsed

 private:
  CLI::Option* option_;
};

// A command, or a family of commands. A value type that refers to the parser and the invocation.
// Both outlive the Command and its run.
class Command {
 public:
  Command(CLI::App& app, Invocation& invocation) : app_(&app), invocation_(&invocation) {}

  // Adds a command that only groups other commands.
  Command AddFamily(const std::string& name, const std::string& help) const;
  Command AddCommand(const std::string& name, const std::string& help) const;

  // "--name" is an option, "NAME" a positional argument. `value` outlives the run. If the value is
  // a list, each use of the option adds one element.
  Option AddOption(const std::string& name, std::string& value, const std::string& help) const;
  Option AddOption(const std::string& name, std::vector<std::string>& values,
                   const std::string& help) const;
  Option AddOption(const std::string& name, uint32_t& value, const std::string& help) const;
  Option AddOption(const std::string& name, uint64_t& value, const std::string& help) const;
  Option AddOption(const std::string& name, int& value, const std::string& help) const;
  Option AddFlag(const std::string& name, bool& value, const std::string& help) const;

  // Requires at least one of `options` on the command line. `names` lists the options in the error.
  // REQUIRES: called before Run().
  void RequireOneOf(std::vector<Option> options, const std::string& names);

  // Sets the function that the program runs if the caller chooses this command.
  void Run(std::function<Result<void>(const Invocation&)> run) const;
  // As above, for a function that takes the values of the options. The callback shares their
  // ownership.
  template <class Options>
  void Run(std::shared_ptr<Options> options,
           Result<void> (*run)(const Invocation&, const Options&)) const {
    Run([options = std::move(options), run](const Invocation& invocation) {
      return run(invocation, *options);
    });
  }

 private:
  CLI::App* app_;
  Invocation* invocation_;
  std::function<void()> check_;  // throws the parser's exception for a usage error; may be empty
};

}  // namespace outport::control
