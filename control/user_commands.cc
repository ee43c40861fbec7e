#include <openssl/crypto.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "control/invocation.h"
#include "control/new_password.h"
#include "registry/security/grant.h"
#include "registry/security/password.h"

namespace outport::control {
namespace {

struct AddUser {
  std::string name;
  std::vector<std::string> allow;
};

Result<v1::AddUserRequest> ToRequest(const AddUser& options) {
  v1::AddUserRequest request;
  TRY(const std::string name, ParseSubjectName(options.name));
  request.set_name(name);
  for (const std::string& text : options.allow) {
    TRY(const Grant grant, ParseGrant(text));
    TRY_VOID(CheckGrant(grant, SubjectKind::kUser));
    v1::Grant& added = *request.add_grants();
    for (const Action action : grant.actions) added.add_actions(std::string(ToString(action)));
    added.set_pattern(grant.pattern);
  }
  return request;
}

Result<void> Add(const Invocation& invocation, const AddUser& options) {
  // Everything that can be wrong is found before somebody types a password.
  TRY(v1::AddUserRequest request, ToRequest(options));
  TRY(StoreClient client, invocation.Connect());
  TRY(std::string password, ReadNewPassword(invocation.streams.input, invocation.streams.err));
  const Result<std::string> hash = HashPassword(password);
  OPENSSL_cleanse(password.data(), password.size());
  if (!hash.has_value()) return hash.error();
  request.set_password_hash(*hash);
  v1::AddUserResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::AddUser, request, response,
                       "adding user '" + request.name() + "'"));
  const boost::json::value document = {{"name", request.name()}, {"sequence", response.sequence()}};
  invocation.Print(document, "user '" + request.name() + "' added");
  return {};
}

boost::json::array GrantsOf(const v1::UserInfo& user) {
  boost::json::array grants;
  for (const v1::Grant& grant : user.grants()) {
    std::string text;
    for (const std::string& action : grant.actions()) text += (text.empty() ? "" : ",") + action;
    grants.emplace_back(text + ":" + grant.pattern());
  }
  return grants;
}

Result<void> List(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table({"name", "allow", "created"});
  auto one_page = [&](const v1::PageOf& page, std::string& next) -> Result<void> {
    v1::ListUsersRequest request;
    *request.mutable_page() = page;
    v1::ListUsersResponse response;
    TRY_VOID(client.Call(&v1::Admin::Stub::ListUsers, request, response, "listing the users"));
    for (const v1::UserInfo& user : response.users()) {
      table.Add({boost::json::value(user.name()), GrantsOf(user),
                 boost::json::value(ToTime(user.created_ms()))});
    }
    next = response.next();
    return {};
  };
  TRY_VOID(ForEachPage(one_page));
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

}  // namespace

void AddUserCommands(CLI::App& app, Invocation& invocation) {
  CLI::App* family = app.add_subcommand("user", "Who may pull and push")->require_subcommand(1);

  auto added = std::make_shared<AddUser>();  // shared with the callback, which CLI11 copies
  CLI::App* add = family->add_subcommand(
      "add",
      "Add a user. The password is asked for, or read from the first line of standard input.\n"
      "  outportctl user add ci --allow pull,push:team/** --allow pull:library/*");
  add->add_option("NAME", added->name, "a-z, 0-9, '.', '_' and '-'")->required();
  add->add_option("--allow", added->allow,
                  "ACTIONS[:PATTERN], again for more: actions of pull,push,delete; in a pattern * "
                  "is one level and ** any depth (default **)")
      ->required()
      ->allow_extra_args(false);
  add->callback([&invocation, added] {
    invocation.chosen = [&invocation, added] { return Add(invocation, *added); };
  });

  CLI::App* list = family->add_subcommand("list", "List the users and what they may do");
  list->callback([&invocation] { invocation.chosen = [&invocation] { return List(invocation); }; });

  auto removed = std::make_shared<std::string>();
  CLI::App* remove =
      family->add_subcommand("remove", "Remove a user; it is refused everywhere within a second");
  remove->add_option("NAME", *removed)->required();
  remove->callback([&invocation, removed] {
    invocation.chosen = [&invocation, removed] { return Remove(invocation, *removed); };
  });
}

}  // namespace outport::control
