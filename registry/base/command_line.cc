#include "registry/base/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <vector>

namespace outport {
namespace {

constexpr size_t kMaxOptionBytes = 32;  // a longer word may be a secret, not a mistyped option

// The subcommand that CLI11 had reached when it found the error.
struct Command {
  const CLI::App* app;
  std::string words;  // "outportctl user add"
};

Command Understood(const CLI::App& app) {
  Command command{&app, app.get_name()};
  for (auto deeper = app.get_subcommands(); !deeper.empty();
       deeper = command.app->get_subcommands()) {
    command.app = deeper.back();
    command.words += " " + command.app->get_name();
  }
  return command;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string Usage(const Command& command) {
  std::vector<std::string> names;
  for (const CLI::App* deeper :
       command.app->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(deeper->get_name());
  }
  if (!names.empty()) return "write one of " + Joined(names) + " after '" + command.words + "'";
  for (const CLI::Option* option : command.app->get_options()) {
    if (option != command.app->get_help_ptr()) names.push_back(option->get_name());
  }
  if (names.empty()) return "'" + command.words + "' takes no options and no arguments";
  return "'" + command.words + "' takes " + Joined(names);
}

// Returns "--confg" for "--confg=x", and an empty text if the word does not look like a long
// option.
std::string OptionName(std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  const auto allowed = [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); };
  const bool is_name = name.starts_with("--") && name.size() > 2 && name.size() <= kMaxOptionBytes;
  return is_name && std::ranges::all_of(name, allowed) ? std::string(name) : "";
}

// Describes the unexpected words. Returns an empty text if no word is unexpected.
std::string Unexpected(const CLI::App& app, bool unfinished) {
  std::vector<std::string> unknown;
  size_t unnamed = 0;
  for (const std::string& word : app.remaining(true)) {
    const std::string name = OptionName(word);
    if (!name.empty()) unknown.push_back(name);
    if (name.empty() && word != "--") ++unnamed;
  }
  // Do not report other unexpected words, because they may be values of the unknown options.
  if (!unknown.empty()) {
    const bool wants_json = std::ranges::find(unknown, "--json") != unknown.end();
    const bool has_output = app.get_option_no_throw("--output") != nullptr;
    return "unknown option " + Joined(unknown) +
           (wants_json && has_output ? "; for JSON, write --output json" : "");
  }
  if (unnamed == 0) return "";
  if (unfinished) return "no such command";
  return std::to_string(unnamed) + (unnamed == 1 ? " argument" : " arguments") +
         " too many (not shown, because they may contain a secret)";
}

// Returns the message of an error about one option. CLI11 has for example "--plan: 1 required TEXT
// missing" and "Could not convert: --days = soon".
std::string InWords(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && text.ends_with(" missing")) {
    return text.substr(0, text.find(':')) + " needs a value";
  }
  constexpr std::string_view kConversion = "Could not convert: ";
  constexpr std::string_view kIs = " = ";
  const size_t is = text.find(kIs);
  if (!text.starts_with(kConversion) || is == std::string::npos) return text;
  return text.substr(kConversion.size(), is - kConversion.size()) + ": '" +
         text.substr(is + kIs.size()) + "' is not a number";
}

}  // namespace

std::string ExplainUsage(const CLI::App& app, const CLI::ParseError& error) {
  const Command command = Understood(app);
  // For an invalid value of an option, use CLI11's message: it names the option and the value.
  const bool about_words = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                           dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  const bool unfinished =
      !command.app->get_subcommands([](const CLI::App*) { return true; }).empty();
  const std::string unexpected = about_words ? Unexpected(app, unfinished) : "";
  std::string text = unexpected;
  if (unexpected.empty() && !(about_words && unfinished)) text = InWords(error);
  if (about_words && (unfinished || !unexpected.empty())) {
    text += (text.empty() ? "" : "; ") + Usage(command);
  }
  return text + "; see " + command.words + " --help";
}

}  // namespace outport
