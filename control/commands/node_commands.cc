#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/node_table.h"
#include "control/commands/user_list.h"
#include "control/commands/user_options.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "registry/base/file.h"
#include "registry/base/settings.h"
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

// What a node may do, as an option and as the store wants it.
Option AddAllow(const Command& command, std::vector<std::string>& allow,
                const std::string& otherwise) {
  return command.AddOption(
      "--allow", allow,
      "what the node may do, whoever asks it, again for more: pull:PATTERN or "
      "pull,push:PATTERN. It is told of no other repositories, nor of users without "
      "a grant in them" +
          otherwise);
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

// A token is a password: a file that was there, with who knows what mode, is left alone.
Result<void> CheckTokenFile(const std::string& out) {
  std::error_code ignored;
  if (std::filesystem::exists(out, ignored)) {
    return Error{
        ErrorCode::kAlreadyExists,
        out + " is there already; remove it if it is an old token, or choose another --out"};
  }
  const Result<void> possible = CheckReplaceable(out);
  if (possible.has_value()) return {};
  return Error{possible.error().code,
               possible.error().message + "; make its folder, or choose another --out"};
}

Result<void> Invite(const Invocation& invocation, const InviteNode& options) {
  TRY(const std::chrono::milliseconds lifetime, ParseDuration(options.lifetime));
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
    invocation.Print(document, "the token for node '" + options.name + "' is in " + options.out +
                                   ", good until " + expires +
                                   ", for one machine; treat it as a password");
    return {};
  }
  const boost::json::value document = {
      {"node", options.name}, {"token", response.token()}, {"expires", expires}};
  invocation.Print(document, response.token());
  if (!invocation.json()) {
    invocation.streams.err << "The token is good until " << expires << ", for one machine: give it "
                           << "to 'outport-node join' there. Treat it as a password.\n";
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

boost::json::array Allowed(const v1::NodeInfo& node) {
  boost::json::array allowed;
  for (const v1::Grant& grant : node.allow()) allowed.emplace_back(Shown(grant));
  return allowed;
}

Result<void> Show(const Invocation& invocation, const std::string& name) {
  TRY(StoreClient client, invocation.Connect());
  v1::GetNodeRequest request;
  request.set_name(name);
  v1::NodeInfo node;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetNode, request, node, "showing node '" + name + "'"));
  invocation.PrintFields({{"name", node.name()},
                          {"allow", Allowed(node)},
                          {"hosts", Texts(node.host_names())},
                          {"joined", ToTime(node.joined_ms())},
                          {"connected", node.connected()},
                          {"address", node.address()},
                          {"last_ping", ToTime(node.last_ping_ms())},
                          {"sequence", node.acknowledged_sequence()},
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
                       "changing node '" + options.name + "'"));
  const v1::NodeInfo& node = response.node();
  const boost::json::value document = {{"node", node.name()}, {"allow", Allowed(node)}};
  std::string text = "node '" + node.name() + "' may";
  for (const v1::Grant& grant : node.allow()) text += " " + Shown(grant);
  invocation.Print(document, text);
  return {};
}

Result<void> Remove(const Invocation& invocation, const std::string& name) {
  TRY(StoreClient client, invocation.Connect());
  // Before it goes: what it was told of stands in its row.
  std::vector<std::string> users;
  auto add = [&users](const v1::UserInfo& user) { users.push_back(user.name()); };
  TRY_VOID(ForEachUser(client, {.for_node = name}, add));
  v1::RemoveNodeRequest request;
  request.set_name(name);
  v1::RemoveNodeResponse response;
  TRY_VOID(
      client.Call(&v1::Admin::Stub::RemoveNode, request, response, "removing node '" + name + "'"));
  const boost::json::value document = {{"node", name},
                                       {"sequence", response.sequence()},
                                       {"users", boost::json::array(users.begin(), users.end())}};
  invocation.Print(document, "node '" + name + "' is removed");
  if (!users.empty() && !invocation.json()) {
    invocation.streams.err
        << "if somebody else may have it now, change the passwords that it knew: " << Join(users)
        << "\n";
  }
  return {};
}

void AddInvite(const Command& family) {
  auto invited = std::make_shared<InviteNode>();  // shared with the callback
  const Command invite =
      family.AddCommand("invite",
                        "Make a one-time token with which a machine joins as a node.\n"
                        "  outportctl node invite eu-west --host eu-west.example.com --out token");
  invite.AddOption("NAME", invited->name, "of the node: a-z, 0-9, '.', '_' and '-'").Required();
  invite
      .AddOption("--host", invited->hosts,
                 "name or address that clients reach the node by, again for more: its server "
                 "certificate is for these")
      .Required();
  invite.AddOption("--lifetime", invited->lifetime, "how long the token is good, at most 7d")
      .ShowDefault();
  invite.AddOption("--out", invited->out,
                   "new file for the token, which only its owner can read (default: print it)");
  invite.AddFlag("--replace", invited->replace,
                 "the machine takes the place of the node that has the name: its certificates are "
                 "refused from the moment this one has joined");
  invite.Run(invited, Invite);

  AddAllow(invite, invited->allow, " (default: everything; with --replace what the node has)");
}

void AddSet(const Command& family) {
  auto changed = std::make_shared<SetNode>();  // shared with the callback
  const Command set = family.AddCommand(
      "set",
      "Change what a node may do. In force at the store at once; the node is given what it may\n"
      "be told of now, and drops the rows and users that it may not.\n"
      "  outportctl node set eu-west --allow 'pull,push:team/**' --allow 'pull:library/*'");
  set.AddOption("NAME", changed->name, "the node").Required();
  AddAllow(set, changed->allow, "").Required();
  set.Run(changed, Set);
}

}  // namespace

Table MakeNodeTable() {
  return Table({"name", "connected", "sequence", "last_ping", "address", "version", "hosts",
                "allow", "joined"});
}

void AddNode(Table& table, const v1::NodeInfo& node) {
  table.Add({boost::json::value(node.name()), boost::json::value(node.connected()),
             boost::json::value(node.acknowledged_sequence()),
             boost::json::value(ToTime(node.last_ping_ms())), boost::json::value(node.address()),
             boost::json::value(node.version()), Texts(node.host_names()), Allowed(node),
             boost::json::value(ToTime(node.joined_ms()))});
}

void AddNodeCommands(const Command& app) {
  const Command family = app.AddFamily("node", "The fleet's nodes");

  AddInvite(family);
  const Command list = family.AddCommand("list", "List the nodes, and how far each has followed");
  list.Run(List);

  auto shown = std::make_shared<std::string>();  // shared with the callback
  const Command show = family.AddCommand("show", "Show one node: what it may do, and how it is");
  show.AddOption("NAME", *shown, "the node").Required();
  show.Run(shown, Show);

  AddSet(family);
  auto removed = std::make_shared<std::string>();  // shared with the callback
  const Command remove =
      family.AddCommand("remove",
                        "Take a node out of the fleet: its certificates are refused, its "
                        "streams end, its invitations\n"
                        "are void. Lists the users whose passwords it has seen hashes of.");
  remove.AddOption("NAME", *removed, "the node").Required();
  remove.Run(removed, Remove);
}

}  // namespace outport::control
