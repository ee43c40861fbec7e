#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/security/grants/grant.h"

// What the commands about users and grants have in common.
namespace outport::control {

// `--generate` and `--cost`, of commands that give a user a password.
struct PasswordOptions {
  bool generate = false;
  int cost = 10;
};
void AddPasswordOptions(const Command& command, PasswordOptions& options);

struct NewPassword {
  std::string hash;
  std::string generated;  // to be shown, once; empty if it was typed
};
// Asks for the password, reads or generates it, as `options` say.
Result<NewPassword> MakePassword(const Invocation& invocation, const PasswordOptions& options);

// `document` as JSON, or `text`; and the generated password, which stands alone on the output if it
// is no JSON.
void PrintWithPassword(const Invocation& invocation, boost::json::object document,
                       const std::string& text, const NewPassword& password);

// "never", "90d" from now on, or "2027-01-31" (its end, UTC), as milliseconds since 1970; 0: never.
Result<int64_t> ParseExpiry(const std::string& text);

// kInvalidArgument for grants that mean nothing for `kind`.
Result<v1::Grant> ParseGrantOption(const std::string& text, SubjectKind kind);
std::string Shown(const v1::Grant& grant);  // "pull,push:team/**"

// The parts of `user` that stand in files of their own.
void AddUserChangeCommands(const Command& family);
void AddUserFileCommands(const Command& family);

}  // namespace outport::control
