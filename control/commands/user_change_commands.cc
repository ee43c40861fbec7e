#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/user_options.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/access.grpc.pb.h"
#include "registry/security/pki/identity.h"

namespace outport::control {
namespace {

using Access = v1::Access::Stub;

Result<v1::ChangedResponse> Update(StoreClient& client, const v1::UpdateUserRequest& request) {
  v1::ChangedResponse response;
  TRY_VOID(client.Call(&Access::UpdateUser, request, response,
                       "updating user '" + request.name() + "'"));
  return response;
}

Result<void> UpdateAndPrint(const Invocation& invocation, const v1::UpdateUserRequest& request,
                            const std::string& what) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::ChangedResponse changed, Update(client, request));
  const boost::json::value document = {{"name", request.name()}, {"sequence", changed.sequence()}};
  invocation.Print(document, "user '" + request.name() + "' " + what);
  WarnIfPending(invocation, changed.pending());
  return {};
}

struct ChangePassword {
  std::string name;
  PasswordOptions password;
};

Result<void> Passwd(const Invocation& invocation, const ChangePassword& options) {
  v1::UpdateUserRequest request;
  TRY(*request.mutable_name(), ParseSubjectName(options.name));
  TRY(StoreClient client, invocation.Connect());
  TRY(const NewPassword password, MakePassword(invocation, options.password));
  request.set_password_hash(password.hash);
  TRY(const v1::ChangedResponse changed, Update(client, request));
  PrintWithPassword(invocation, {{"name", request.name()}, {"sequence", changed.sequence()}},
                    "password of user '" + request.name() + "' changed", password);
  return {};
}

Result<void> SetDisabled(const Invocation& invocation, const std::string& name, bool disabled) {
  v1::UpdateUserRequest request;
  request.set_name(name);
  request.set_disabled(disabled);
  return UpdateAndPrint(invocation, request, disabled ? "disabled" : "enabled");
}

struct SetUser {
  std::string name;
  std::string expires;
  std::vector<std::string> groups;
  bool no_groups = false;
  std::vector<std::string> only_from;
  bool from_anywhere = false;
};

Result<void> Set(const Invocation& invocation, const SetUser& options) {
  v1::UpdateUserRequest request;
  request.set_name(options.name);
  if (!options.expires.empty()) {
    TRY(const int64_t expires_ms, ParseExpiry(options.expires));
    request.set_expires_ms(expires_ms);
  }
  if (options.no_groups || !options.groups.empty()) {
    *request.mutable_groups()->mutable_names() = {options.groups.begin(), options.groups.end()};
  }
  if (options.from_anywhere || !options.only_from.empty()) {
    *request.mutable_only_from()->mutable_names() = {options.only_from.begin(),
                                                     options.only_from.end()};
  }
  return UpdateAndPrint(invocation, request, "updated");
}

void AddSwitch(const Command& family, bool disabled) {
  auto name = std::make_shared<std::string>();  // shared with the callback
  const Command command = family.AddCommand(
      disabled ? "disable" : "enable",
      disabled
          ? "Disable a user. The store and every connected node reject it within a second, and "
            "cut\nits connections.\n"
            "  outportctl user disable ci"
          : "Enable a user that was disabled.\n"
            "  outportctl user enable ci");
  command.AddOption("NAME", *name, "Name of the user").Required();
  command.Run([name, disabled](const Invocation& invocation) {
    return SetDisabled(invocation, *name, disabled);
  });
}

void AddSetCommand(const Command& family) {
  auto set = std::make_shared<SetUser>();  // shared with the callback
  Command command = family.AddCommand(
      "set",
      "Change the groups, the expiry or the required certificates of a user. Options that are not\n"
      "given change nothing.\n"
      "  outportctl user set ci --group builders --group ops --expires 2027-01-31\n"
      "  outportctl user set ci --no-groups --from-anywhere --expires never");
  command.AddOption("NAME", set->name, "Name of the user").Required();
  const Option groups = command.AddOption(
      "--group", set->groups, "Group; repeatable. The groups given replace the present ones");
  const Option no_groups =
      command.AddFlag("--no-groups", set->no_groups, "Remove the user from all groups");
  const Option only_from = command.AddOption(
      "--only-from", set->only_from,
      "Require a client certificate with a matching name; * is a wildcard; repeatable. The names "
      "given replace the present ones");
  const Option anywhere = command.AddFlag("--from-anywhere", set->from_anywhere,
                                          "Remove the required certificate names");
  const Option expires =
      command.AddOption("--expires", set->expires, "Expiry: 90d, 2027-01-31 or never");
  groups.Excludes(no_groups);
  only_from.Excludes(anywhere);
  command.RequireOneOf({groups, no_groups, only_from, anywhere, expires},
                       "one of --group, --no-groups, --only-from, --from-anywhere, --expires");
  command.Run(set, Set);
}

}  // namespace

void AddUserChangeCommands(const Command& family) {
  auto changed = std::make_shared<ChangePassword>();  // shared with the callback
  const Command passwd = family.AddCommand(
      "passwd",
      "Change the password of a user. Prompts for the password, or reads it from the first line "
      "of\n"
      "standard input. The store and every connected node reject the old one within a second.\n"
      "  outportctl user passwd ci");
  passwd.AddOption("NAME", changed->name, "Name of the user").Required();
  AddPasswordOptions(passwd, changed->password);
  passwd.Run(changed, Passwd);
  AddSwitch(family, false);
  AddSwitch(family, true);
  AddSetCommand(family);
}

}  // namespace outport::control
