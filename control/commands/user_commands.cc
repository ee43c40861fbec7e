#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/user_list.h"
#include "control/commands/user_options.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "registry/base/clock.h"
#include "registry/security/pki/identity.h"

namespace outport::control {
namespace {

struct AddUser {
  std::string name;
  std::vector<std::string> allow;
  std::vector<std::string> groups;
  std::vector<std::string> only_from;
  std::string expires = "never";
  PasswordOptions password;
};

Result<v1::AddUserRequest> ToRequest(const AddUser& options) {
  v1::AddUserRequest request;
  TRY(const std::string name, ParseSubjectName(options.name));
  request.set_name(name);
  for (const std::string& text : options.allow) {
    TRY(*request.add_grants(), ParseGrantOption(text, SubjectKind::kUser));
  }
  for (const std::string& text : options.groups) {
    TRY(*request.add_groups(), ParseSubjectName(text));
  }
  for (const std::string& glob : options.only_from) request.add_only_from(glob);
  TRY(const int64_t expires_ms, ParseExpiry(options.expires));
  request.set_expires_ms(expires_ms);
  return request;
}

Result<void> Add(const Invocation& invocation, const AddUser& options) {
  // Check the options before the prompt for the password.
  TRY(v1::AddUserRequest request, ToRequest(options));
  TRY(StoreClient client, invocation.Connect());
  TRY(const NewPassword password, MakePassword(invocation, options.password));
  request.set_password_hash(password.hash);
  v1::AddUserResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::AddUser, request, response,
                       "adding user '" + request.name() + "'"));
  PrintWithPassword(invocation, {{"name", request.name()}, {"sequence", response.sequence()}},
                    "user '" + request.name() + "' created", password);
  return {};
}

std::string StatusOf(const v1::UserInfo& user) {
  if (user.absent_ms() != 0) return "not in the file";
  if (user.disabled()) return "disabled";
  const int64_t now_ms = ToUnixMillis(std::chrono::system_clock::now());
  return user.expires_ms() != 0 && user.expires_ms() <= now_ms ? "expired" : "enabled";
}

boost::json::array Texts(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return boost::json::array(texts.begin(), texts.end());
}

void AddRow(Table& table, const v1::UserInfo& user) {
  boost::json::array grants;
  for (const v1::Grant& grant : user.grants()) grants.emplace_back(ToText(grant));
  table.Add({boost::json::value(user.name()), boost::json::value(StatusOf(user)), grants,
             Texts(user.groups()), boost::json::value(ToTime(user.expires_ms())),
             Texts(user.only_from()), boost::json::value(ToTime(user.created_ms())),
             boost::json::value(user.source())});
}

Result<void> List(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table({"name", "status", "grants", "groups", "expires", "only_from", "created", "source"});
  auto add = [&table](const v1::UserInfo& user) { AddRow(table, user); };
  TRY_VOID(ForEachUser(client, {.with_absent = true}, add));
  invocation.Print(table);
  return {};
}

Result<void> Remove(const Invocation& invocation, const std::string& name) {
  TRY(StoreClient client, invocation.Connect());
  v1::RemoveUserRequest request;
  request.set_name(name);
  v1::RemoveUserResponse response;
  TRY_VOID(
      client.Call(&v1::Admin::Stub::RemoveUser, request, response, "removing user '" + name + "'"));
  const boost::json::value document = {{"name", name}, {"sequence", response.sequence()}};
  invocation.Print(document, "user '" + name + "' removed");
  WarnIfPending(invocation, response.pending());
  return {};
}

void AddAddCommand(const Command& family) {
  auto added = std::make_shared<AddUser>();  // shared with the callback
  Command add = family.AddCommand(
      "add",
      "Create a user. Prompts for the password, or reads it from the first line of standard "
      "input.\n"
      "  outportctl user add ci --allow 'pull,push:team/**' --allow 'pull:library/*'\n"
      "  outportctl user add deploy --allow pull --generate --expires 90d --only-from 'ci-*'");
  add.AddOption("NAME", added->name, "Name of the user: a-z, 0-9, '.', '_' and '-'").Required();
  const Option allow = add.AddOption("--allow", added->allow, kGrantHelp);
  const Option group =
      add.AddOption("--group", added->groups, "Group whose grants the user gets too; repeatable");
  add.AddOption("--only-from", added->only_from,
                "Require a client certificate with a matching name; * is a wildcard; repeatable");
  add.AddOption("--expires", added->expires, "Expiry: 90d, 2027-01-31 or never").ShowDefault();
  AddPasswordOptions(add, added->password);
  add.RequireOneOf({allow, group}, "--allow ACTIONS[:PATTERN], or --group of a group with grants,");
  add.Run(added, Add);
}

}  // namespace

void AddUserCommands(const Command& app) {
  const Command family = app.AddFamily("user", "Create, list, change and remove users");
  AddAddCommand(family);
  family
      .AddCommand("list",
                  "List the users with their grants and groups. A user whom the htpasswd file\n"
                  "no longer has cannot log in; 'user remove' removes what the store keeps of it.\n"
                  "  outportctl user list")
      .Run(List);

  auto removed = std::make_shared<std::string>();  // shared with the callback
  const Command remove =
      family.AddCommand("remove",
                        "Remove a user. The store and every connected node reject it within a "
                        "second.\n"
                        "  outportctl user remove ci");
  remove.AddOption("NAME", *removed, "Name of the user").Required();
  remove.Run(removed, Remove);

  AddUserChangeCommands(family);
  AddUserFileCommands(family);
  AddGroupsCommand(family);
}

}  // namespace outport::control
