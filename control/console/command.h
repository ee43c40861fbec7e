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

// An option or an argument of a command, for the calls that restrict it. A value that refers to the
// parser. Only command.cc includes the parser's header, because it is slow to compile.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required() const;
  Option ShowDefault() const;  // in the help
  Option OneOf(std::vector<std::string> values) const;
  Option Between(int64_t least, int64_t most) const;
  Option Excludes(Option other) const;
  Option Needs(Option other) const;

  bool given() const;  // after the parse

 private:
  CLI::Option* option_;
};

// A command, or a family of commands, of the command line. A value that refers to the parser; the
// parser and the invocation outlive it and the run.
class Command {
 public:
  Command(CLI::App& app, Invocation& invocation) : app_(&app), invocation_(&invocation) {}

  // A command that exists only to hold others.
  Command AddFamily(const std::string& name, const std::string& help) const;
  Command AddCommand(const std::string& name, const std::string& help) const;

  // "--name" is an option, "NAME" a positional argument. `value` outlives the run. An option with a
  // list takes one value each time that it is given.
  Option AddOption(const std::string& name, std::string& value, const std::string& help) const;
  Option AddOption(const std::string& name, std::vector<std::string>& values,
                   const std::string& help) const;
  Option AddOption(const std::string& name, uint32_t& value, const std::string& help) const;
  Option AddOption(const std::string& name, uint64_t& value, const std::string& help) const;
  Option AddOption(const std::string& name, int& value, const std::string& help) const;
  Option AddFlag(const std::string& name, bool& value, const std::string& help) const;

  // At least one of `options` must be given; `names` lists them in the error.
  // REQUIRES: called before Run().
  void RequireOneOf(std::vector<Option> options, const std::string& names);

  // What the program runs if this command is chosen.
  void Run(std::function<Result<void>(const Invocation&)> run) const;
  // With the values of its options; they are shared with the callback.
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
  std::function<void()> check_;  // throws what the parser reports as a usage error; may be empty
};

}  // namespace outport::control
