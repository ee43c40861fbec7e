#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/security/grants/grant.h"

// Options and formats that the commands for users and grants share.
namespace outport::control {

// The options --generate and --cost of commands that set a password.
struct PasswordOptions {
  bool generate = false;
  int cost = 10;
};
void AddPasswordOptions(const Command& command, PasswordOptions& options);

struct NewPassword {
  std::string hash;
  std::string generated;  // printed once; empty if the password was typed
};
// Prompts for the password, reads it from standard input, or generates it. Blocks.
Result<NewPassword> MakePassword(const Invocation& invocation, const PasswordOptions& options);

// Prints `document` as JSON, or `text`. If the password was generated, adds the password to the
// JSON. Without JSON, it prints only the generated password on standard output, and `text` on
// standard error.
void PrintWithPassword(const Invocation& invocation, boost::json::object document,
                       const std::string& text, const NewPassword& password);

// Parses "never", "90d" (from now) or "2027-01-31" (the end of that day, UTC). Returns milliseconds
// since 1970, or 0 for never.
Result<int64_t> ParseExpiry(const std::string& text);

constexpr const char* kGrantHelp =
    "Grant ACTIONS[:PATTERN], repeatable. Actions: pull,push,delete. In a pattern * matches one "
    "level "
    "and ** any depth (default **)";
// Parses a grant. Returns kInvalidArgument if a subject of this kind cannot have the grant.
Result<v1::Grant> ParseGrantOption(const std::string& text, SubjectKind kind);
std::string ToText(const v1::Grant& grant);  // "pull,push:team/**"

// Adds the commands of `user` that have files of their own.
void AddUserChangeCommands(const Command& family);
void AddUserFileCommands(const Command& family);

}  // namespace outport::control
