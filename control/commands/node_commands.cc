#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/node_table.h"
#include "control/commands/user_list.h"
#include "control/commands/user_options.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "registry/base/file.h"
#include "registry/records/access_records.h"
#include "registry/security/grants/node_permissions.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

struct InviteNode {
  std::string name;
  std::vector<std::string> hosts;
  std::string lifetime = "1h";
  std::string out;
  bool replace = false;
  std::vector<std::string> allow;
};

// Adds the option --allow, the permissions of a node. `if_absent` describes the default.
Option AddAllow(const Command& command, std::vector<std::string>& allow,
                const std::string& if_absent) {
  return command.AddOption(
      "--allow", allow,
      "Permission of the node: pull:PATTERN or pull,push:PATTERN; repeatable. It limits the rights "
      "of every caller at the node. The node receives only the matching repositories, and the "
      "users with a grant in one of them" +
          if_absent);
}

Result<void> ParseAllow(const std::vector<std::string>& texts,
                        google::protobuf::RepeatedPtrField<v1::Grant>& allow) {
  for (const std::string& text : texts) {
    TRY(const Grant grant, ParseGrant(text));
    const Result<void> checked = CheckNodeGrant(grant);
    if (!checked.has_value()) return Error(checked.error()).Within("--allow");
    *allow.Add() = ToGrantRecord(grant);
  }
  return {};
}

// Checks that the file does not exist. An existing file may be readable by other users, so a token
// must not go there.
Result<void> CheckTokenFile(const std::string& out) {
  std::error_code ignored;
  if (std::filesystem::exists(out, ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 out + " already exists; delete it if it is an old token, or choose another --out"};
  }
  const Result<void> possible = CheckReplaceable(out);
  if (possible.has_value()) return {};
  return Error{possible.error().code,
               possible.error().message + "; create its folder, or choose another --out"};
}

Result<void> Invite(const Invocation& invocation, const InviteNode& options) {
  TRY(const std::chrono::milliseconds lifetime, ParseSpan("--lifetime", options.lifetime));
  const Result<void> named = pki::CheckHostNames(options.hosts);
  if (!named.has_value()) return Error(named.error()).Within("--host");
  if (!options.out.empty()) TRY_VOID(CheckTokenFile(options.out));
  TRY(StoreClient client, invocation.Connect());
  v1::InviteNodeRequest request;
  request.set_node(options.name);
  for (const std::string& host : options.hosts) request.add_host_names(host);
  request.set_lifetime_ms(lifetime.count());
  request.set_replace(options.replace);
  TRY_VOID(ParseAllow(options.allow, *request.mutable_allow()));
  v1::InviteNodeResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::InviteNode, request, response,
                       "inviting node '" + options.name + "'"));
  const std::string expires = ToTime(response.expires_ms());
  if (!options.out.empty()) {
    TRY_VOID(ReplaceFile(options.out, response.token() + "\n", 0600));
    const boost::json::value document = {
        {"node", options.name}, {"token_file", options.out}, {"expires", expires}};
    invocation.Print(document, "token for node '" + options.name + "' written to " + options.out +
                                   "; expires " + expires +
                                   ", valid for one machine; keep it secret like a password");
    return {};
  }
  const boost::json::value document = {
      {"node", options.name}, {"token", response.token()}, {"expires", expires}};
  invocation.Print(document, response.token());
  if (!invocation.json()) {
    invocation.streams.err << "the token expires " << expires
                           << " and is valid for one machine; pass "
                           << "it to 'outport-node join' there, and keep it secret like a "
                           << "password\n";
  }
  return {};
}

Result<void> List(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table = MakeNodeTable();
  const auto add = [&table](const v1::NodeInfo& node) { AddNode(table, node); };
  TRY_VOID(client.ForEachRow(&v1::Admin::Stub::ListNodes, v1::ListNodesRequest(),
                             &v1::ListNodesResponse::nodes, "listing the nodes", add));
  invocation.Print(table);
  return {};
}

boost::json::array Texts(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return boost::json::array(texts.begin(), texts.end());
}

boost::json::array Permissions(const v1::NodeInfo& node) {
  boost::json::array permissions;
  for (const v1::Grant& grant : node.allow()) permissions.emplace_back(ToText(grant));
  return permissions;
}

Result<void> Show(const Invocation& invocation, const std::string& name) {
  TRY(StoreClient client, invocation.Connect());
  v1::GetNodeRequest request;
  request.set_name(name);
  v1::NodeInfo node;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetNode, request, node, "reading node '" + name + "'"));
  invocation.PrintFields({{"name", node.name()},
                          {"permissions", Permissions(node)},
                          {"hosts", Texts(node.host_names())},
                          {"joined", ToTime(node.joined_ms())},
                          {"connected", node.connected()},
                          {"address", node.address()},
                          {"last_seen", ToTime(node.last_ping_ms())},
                          {"sequence", node.acknowledged_sequence()},
                          {"pulls_reported", ToTime(node.pulls_reported_ms())},
                          {"version", node.version()},
                          {"warnings", Texts(node.warnings())}});
  return {};
}

struct SetNode {
  std::string name;
  std::vector<std::string> allow;
};

Result<void> Set(const Invocation& invocation, const SetNode& options) {
  v1::SetNodeRequest request;
  request.set_name(options.name);
  TRY_VOID(ParseAllow(options.allow, *request.mutable_allow()));
  TRY(StoreClient client, invocation.Connect());
  v1::SetNodeResponse response;
  TRY_VOID(client.Call(&v1::Admin::Stub::SetNode, request, response,
                       "updating node '" + options.name + "'"));
  const v1::NodeInfo& node = response.node();
  const boost::json::value document = {{"node", node.name()}, {"permissions", Permissions(node)}};
  std::string text = "node '" + node.name() + "' updated: permissions";
  for (const v1::Grant& grant : node.allow()) text += " " + ToText(grant);
  invocation.Print(document, text);
  WarnIfPending(invocation, response.pending());
  return {};
}

Result<void> Remove(const Invocation& invocation, const std::string& name) {
  TRY(StoreClient client, invocation.Connect());
  // Read the users before the removal: the store finds them by the permissions in the node's row,
  // which the removal deletes.
  std::vector<std::string> users;
  auto add = [&users](const v1::UserInfo& user) { users.push_back(user.name()); };
  const Result<void> listed = ForEachUser(client, {.for_node = name}, add);
  if (!listed.has_value() && listed.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound,
                 "there is no node '" + name + "'; 'outportctl node list' shows the nodes"};
  }
  TRY_VOID(listed);
  v1::RemoveNodeRequest request;
  request.set_name(name);
  v1::RemoveNodeResponse response;
  TRY_VOID(
      client.Call(&v1::Admin::Stub::RemoveNode, request, response, "removing node '" + name + "'"));
  const boost::json::value document = {{"node", name},
                                       {"sequence", response.sequence()},
                                       {"users", boost::json::array(users.begin(), users.end())}};
  invocation.Print(document, "node '" + name + "' removed");
  WarnIfPending(invocation, response.pending());
  if (!users.empty() && !invocation.json()) {
    invocation.streams.err << "the node knew the password hashes of these users; change their "
                              "passwords if somebody else may have the node's data: "
                           << Join(users) << "\n";
  }
  return {};
}

void AddInvite(const Command& family) {
  auto invited = std::make_shared<InviteNode>();  // shared with the callback
  const Command invite =
      family.AddCommand("invite",
                        "Create a one-time token with which a machine joins the fleet as a node.\n"
                        "  outportctl node invite eu-west --host eu-west.example.com --out token");
  invite.AddOption("NAME", invited->name, "Name of the node: a-z, 0-9, '.', '_' and '-'")
      .Required();
  invite
      .AddOption("--host", invited->hosts,
                 "Host name or IP address by which clients reach the node; repeatable. Its server "
                 "certificate is issued for these")
      .Required();
  invite.AddOption("--lifetime", invited->lifetime, "Lifetime of the token, at most 7d")
      .ShowDefault();
  invite.AddOption("--out", invited->out,
                   "New file for the token, readable only by its owner (default: print the token)");
  invite.AddFlag("--replace", invited->replace,
                 "Let the machine replace the node with this name; the store rejects the older "
                 "machine's certificates once the new machine has joined");
  invite.Run(invited, Invite);

  AddAllow(invite, invited->allow, " (default: everything; with --replace the node's permissions)");
}

void AddSet(const Command& family) {
  auto changed = std::make_shared<SetNode>();  // shared with the callback
  const Command set = family.AddCommand(
      "set",
      "Replace the permissions of a node. They are in force at the store at once. The node "
      "receives\n"
      "the rows that it may have now, and deletes the rows and users that it may not.\n"
      "  outportctl node set eu-west --allow 'pull,push:team/**' --allow 'pull:library/*'");
  set.AddOption("NAME", changed->name, "Name of the node").Required();
  AddAllow(set, changed->allow, "").Required();
  set.Run(changed, Set);
}

}  // namespace

Table MakeNodeTable() {
  return Table({"name", "connected", "sequence", "last_seen", "address", "version", "hosts",
                "permissions", "joined"});
}

void AddNode(Table& table, const v1::NodeInfo& node) {
  table.Add({boost::json::value(node.name()), boost::json::value(node.connected()),
             boost::json::value(node.acknowledged_sequence()),
             boost::json::value(ToTime(node.last_ping_ms())), boost::json::value(node.address()),
             boost::json::value(node.version()), Texts(node.host_names()), Permissions(node),
             boost::json::value(ToTime(node.joined_ms()))});
}

void AddNodeCommands(const Command& app) {
  const Command family = app.AddFamily("node", "Invite, list, limit and remove nodes");

  AddInvite(family);
  family
      .AddCommand("list",
                  "List the nodes and the last change that each has applied.\n"
                  "  outportctl node list")
      .Run(List);

  auto shown = std::make_shared<std::string>();  // shared with the callback
  const Command show = family.AddCommand("show",
                                         "Show a node: permissions, connection and warnings.\n"
                                         "  outportctl node show eu-west");
  show.AddOption("NAME", *shown, "Name of the node").Required();
  show.Run(shown, Show);

  AddSet(family);
  auto removed = std::make_shared<std::string>();  // shared with the callback
  const Command remove = family.AddCommand(
      "remove",
      "Remove a node from the fleet. The store rejects its certificates, closes its streams and\n"
      "invalidates its invitations. Lists the users whose password hashes the node knew.\n"
      "  outportctl node remove eu-west");
  remove.AddOption("NAME", *removed, "Name of the node").Required();
  remove.Run(removed, Remove);
}

}  // namespace outport::control
