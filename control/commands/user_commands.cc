#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>

#include "control/commands/commands.h"
#include "control/commands/user_options.h"
#include "control/commands/user_pages.h"
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
  // Everything that can be wrong is found before somebody types a password.
  TRY(v1::AddUserRequest request, ToRequest(options));
  TRY(StoreClient client, invocation.Connect());
  TRY(const NewPassword password, MakePassword(invocation, options.password));
  request.set_password_hash(password.hash);
  v1::AddUserResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::AddUser, request, response,
                       "adding user '" + request.name() + "'"));
  PrintWithPassword(invocation, {{"name", request.name()}, {"sequence", response.sequence()}},
                    "user '" + request.name() + "' added", password);
  return {};
}

std::string StateOf(const v1::UserInfo& user) {
  if (user.disabled()) return "disabled";
  const int64_t now_ms = ToUnixMillis(std::chrono::system_clock::now());
  return user.expires_ms() != 0 && user.expires_ms() <= now_ms ? "expired" : "enabled";
}

boost::json::array Texts(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return boost::json::array(texts.begin(), texts.end());
}

void AddRow(Table& table, const v1::UserInfo& user) {
  boost::json::array grants;
  for (const v1::Grant& grant : user.grants()) grants.emplace_back(Shown(grant));
  table.Add({boost::json::value(user.name()), grants, Texts(user.groups()),
             boost::json::value(StateOf(user)), boost::json::value(ToTime(user.expires_ms())),
             Texts(user.only_from()), boost::json::value(ToTime(user.created_ms())),
             boost::json::value(user.source())});
}

Result<void> List(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table({"name", "allow", "groups", "state", "expires", "only_from", "created", "source"});
  auto add = [&table](const v1::UserInfo& user) { AddRow(table, user); };
  TRY_VOID(ForEachUser(client, {}, add));
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
  return {};
}

void AddAddCommand(CLI::App& family, Invocation& invocation) {
  auto added = std::make_shared<AddUser>();  // shared with the callback, which CLI11 copies
  CLI::App* add = family.add_subcommand(
      "add",
      "Add a user. The password is asked for, or read from the first line of standard input.\n"
      "  outportctl user add ci --allow pull,push:team/** --allow pull:library/*\n"
      "  outportctl user add deploy --allow pull --generate --expires 90d --only-from 'ci-*'");
  add->add_option("NAME", added->name, "a-z, 0-9, '.', '_' and '-'")->required();
  add->add_option("--allow", added->allow,
                  "ACTIONS[:PATTERN], again for more: actions of pull,push,delete; in a pattern * "
                  "is one level and ** any depth (default **)")
      ->allow_extra_args(false);
  add->add_option("--group", added->groups, "has the grants of that group, too; again for more")
      ->allow_extra_args(false);
  add->add_option("--only-from", added->only_from,
                  "lets the user in only with a client certificate of such a name; * is any run of "
                  "characters; again for more")
      ->allow_extra_args(false);
  add->add_option("--expires", added->expires, "90d, 2027-01-31 or never")->capture_default_str();
  AddPasswordOptions(*add, added->password);
  add->callback([&invocation, added] {
    if (added->allow.empty() && added->groups.empty()) {
      throw CLI::RequiredError("--allow ACTIONS[:PATTERN], or --group of a group with grants,");
    }
    invocation.chosen = [&invocation, added] { return Add(invocation, *added); };
  });
}

}  // namespace

void AddUserCommands(CLI::App& app, Invocation& invocation) {
  CLI::App* family = app.add_subcommand("user", "Who may pull and push")->require_subcommand(1);
  AddAddCommand(*family, invocation);

  CLI::App* list = family->add_subcommand("list", "List the users and what they may do");
  list->callback([&invocation] { invocation.chosen = [&invocation] { return List(invocation); }; });

  auto removed = std::make_shared<std::string>();  // shared with the callback
  CLI::App* remove =
      family->add_subcommand("remove", "Remove a user; it is refused everywhere within a second");
  remove->add_option("NAME", *removed)->required();
  remove->callback([&invocation, removed] {
    invocation.chosen = [&invocation, removed] { return Remove(invocation, *removed); };
  });

  AddUserChangeCommands(*family, invocation);
  AddUserFileCommands(*family, invocation);
  AddGroupsCommand(*family, invocation);
}

}  // namespace outport::control
