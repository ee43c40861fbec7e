#include "registry/base/command_line.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace outport {
namespace {

// The output of a program with the commands "serve --config FILE" and "user add NAME --allow
// GRANT".
std::string Said(std::vector<std::string> words) {
  CLI::App app("a program", "prog");
  app.require_subcommand(1);
  std::string text;
  app.add_option("-o,--output", text);
  app.add_subcommand("serve")->add_option("--config", text)->required();
  CLI::App* user = app.add_subcommand("user")->require_subcommand(1);
  CLI::App* add = user->add_subcommand("add");
  add->add_option("NAME", text)->required();
  add->add_option("--allow", text)->required();
  user->add_subcommand("list");
  int days = 0;
  add->add_option("--days", days);
  add->fallthrough();
  std::ranges::reverse(words);  // the order that CLI11 expects
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return ExplainUsage(app, error);
  }
  return "";
}

struct Case {
  const char* what;
  std::vector<std::string> words;
  const char* said;
};

TEST(CommandLine, ExplainsTheErrorAndTheUsage) {
  const Case cases[] = {
      {"a mistyped option", {"serve", "--confg", "x.yml"}, "unknown option --confg"},
      {"and the known options", {"serve", "--confg", "x.yml"}, "'prog serve' takes --config"},
      {"and its help", {"serve", "--confg=x.yml"}, "see prog serve --help"},
      {"another program's option for JSON",
       {"--json", "user", "list"},
       "unknown option --json; for JSON, write --output json; 'prog user list' takes"},
      {"an option that is missing", {"serve"}, "--config is required"},
      {"no command", {}, "write one of serve, user after 'prog'"},
      {"half a command", {"user"}, "write one of add, list after 'prog user'"},
      {"another command", {"fly"}, "write one of serve, user after 'prog'"},
      {"and what is wrong with it", {"fly"}, "no such command"},
      {"a word too many", {"user", "add", "x", "--allow", "pull", "y"}, "1 argument too many"},
      {"two of them", {"user", "add", "x", "y", "z", "--allow", "pull"}, "2 arguments too many"},
      {"a value that is none",
       {"user", "add", "x", "--allow", "a", "--days", "soon"},
       "--days: 'soon' is not a number; see prog user add --help"},
      {"no value", {"serve", "--config"}, "--config needs a value; see prog serve --help"},
      {"no options at all", {"user", "list", "x"}, "'prog user list' takes no options and no arg"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const std::string said = Said(c.words);
    EXPECT_NE(said.find(c.said), std::string::npos) << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
}

TEST(CommandLine, NeverPrintsUnexpectedWords) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"serve", "--config", "x", "hush"},
           {"serve", "hush"},
           {"hush"},
           {"user", "add", "x", "--password", "hush", "--allow", "pull"},
           {"user", "add", "x", "--password=hush", "--allow", "pull"},
           {"user", "add", "x", "--password", "hush"},
           {"user", "add", "x", "-phush", "--allow", "pull"},
           {"user", "add", "x", "--allow", "pull", "--", "hush"}}) {
    const std::string said = Said(words);
    EXPECT_FALSE(said.empty());
    EXPECT_EQ(said.find("hush"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace outport
