#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>

#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/user_list.h"
#include "control/commands/user_options.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/access.grpc.pb.h"

namespace outport::control {
namespace {

using Access = v1::Access::Stub;

struct ChangeGrant {
  std::string subject;
  std::string grant;
};

constexpr const char* kSubjectHelp =
    "Subject: user:NAME, group:NAME, certificate:NAME or anonymous";

Result<v1::GrantRequest> ToRequest(const ChangeGrant& options) {
  TRY(const Subject subject, ParseSubject(options.subject));
  v1::GrantRequest request;
  request.set_subject(ToString(subject));
  TRY(*request.mutable_grant(), ParseGrantOption(options.grant, subject.kind));
  return request;
}

Result<void> Change(const Invocation& invocation, const ChangeGrant& options, bool add) {
  TRY(const v1::GrantRequest request, ToRequest(options));
  TRY(StoreClient client, invocation.Connect());
  v1::ChangedResponse response;
  TRY_VOID(client.Call(add ? &Access::AddGrant : &Access::RemoveGrant, request, response,
                       "changing the grants of " + request.subject()));
  const std::string grant = ToText(request.grant());
  const boost::json::value document = {
      {"subject", request.subject()}, {"grant", grant}, {"sequence", response.sequence()}};
  invocation.Print(document,
                   "grant " + grant + (add ? " added to " : " removed from ") + request.subject());
  WarnIfPending(invocation, response.pending());
  return {};
}

template <class See>
Result<void> ForEachGrantRow(StoreClient& client, See see) {
  return client.ForEachRow(&Access::ListGrants, v1::ListGrantsRequest(),
                           &v1::ListGrantsResponse::grants, "listing the grants", see);
}

Result<void> List(const Invocation& invocation, const std::string& only) {
  if (!only.empty()) TRY_VOID(ParseSubject(only));
  TRY(StoreClient client, invocation.Connect());
  Table table({"subject", "actions", "pattern"});
  const auto add = [&](const std::string& subject, const v1::Grant& grant) {
    if (!only.empty() && subject != only) return;
    boost::json::array actions(grant.actions().begin(), grant.actions().end());
    table.Add({boost::json::value(subject), actions, boost::json::value(grant.pattern())});
  };
  TRY_VOID(ForEachGrantRow(client, [&](const v1::GrantRow& row) {
    for (const v1::Grant& grant : row.grants()) add(row.subject(), grant);
  }));
  TRY_VOID(ForEachUser(client, {}, [&](const v1::UserInfo& user) {
    const std::string subject = ToString(Subject{SubjectKind::kUser, user.name()});
    for (const v1::Grant& grant : user.grants()) add(subject, grant);
  }));
  invocation.Print(table);
  return {};
}

struct Group {
  boost::json::array members;
  boost::json::array grants;
};

Result<void> ListGroups(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  std::map<std::string, Group> groups;
  TRY_VOID(ForEachUser(client, {}, [&](const v1::UserInfo& user) {
    for (const std::string& group : user.groups()) groups[group].members.emplace_back(user.name());
  }));
  TRY_VOID(ForEachGrantRow(client, [&](const v1::GrantRow& row) {
    const auto subject = ParseSubject(row.subject());
    if (!subject.has_value() || subject->kind != SubjectKind::kGroup) return;
    for (const v1::Grant& grant : row.grants()) {
      groups[subject->name].grants.emplace_back(ToText(grant));
    }
  }));
  Table table({"name", "members", "grants"});
  for (auto& [name, group] : groups) {
    table.Add({boost::json::value(name), std::move(group.members), std::move(group.grants)});
  }
  invocation.Print(table);
  return {};
}

struct ExplainAccess {
  std::string user;
  std::string certificate;
  std::string repository;
  std::string action = "pull";
  std::string node;  // empty: the store
};

Result<void> Explain(const Invocation& invocation, const ExplainAccess& options) {
  TRY(StoreClient client, invocation.Connect());
  v1::ExplainRequest request;
  request.set_user(options.user);
  request.set_certificate(options.certificate);
  request.set_repository(options.repository);
  request.set_action(options.action);
  request.set_node(options.node);
  v1::ExplainResponse response;
  TRY_VOID(client.Call(&Access::Explain, request, response, "explaining access"));
  boost::json::object document = {{"allowed", response.allowed()}};
  std::string text = "denied: " + response.reason();
  if (response.allowed()) {
    document["subject"] = response.subject();
    document["grant"] = ToText(response.grant());
    text = "allowed: " + response.subject() + " has the grant " + ToText(response.grant());
  } else {
    document["reason"] = response.reason();
  }
  invocation.Print(document, text);
  return {};
}

void AddChangeCommand(const Command& family, bool add) {
  auto changed = std::make_shared<ChangeGrant>();  // shared with the callback
  const Command command = family.AddCommand(
      add ? "add" : "remove",
      add ? "Add a grant to a user, a group, the holders of certificates with a name, or "
            "everybody.\n"
            "  outportctl grant add group:builders 'pull,push:team/**'\n"
            "  outportctl grant add anonymous 'pull:public/**'"
          : "Remove a grant as 'grant list' shows it. The store and every connected node apply "
            "this\n"
            "within a second.\n"
            "  outportctl grant remove anonymous 'pull:public/**'");
  command.AddOption("SUBJECT", changed->subject, kSubjectHelp).Required();
  command
      .AddOption("GRANT", changed->grant,
                 "Grant ACTIONS[:PATTERN]. Actions: pull,push,delete. In a pattern * matches one "
                 "level and ** any depth (default **)")
      .Required();
  command.Run(
      [changed, add](const Invocation& invocation) { return Change(invocation, *changed, add); });
}

}  // namespace

void AddGroupsCommand(const Command& family) {
  family
      .AddCommand("groups",
                  "List the groups with their members ('user set --group') and grants ('grant "
                  "add').\n"
                  "  outportctl user groups")
      .Run(ListGroups);
}

void AddGrantCommands(const Command& app) {
  const Command family = app.AddFamily("grant", "Add, list, explain and remove grants");
  AddChangeCommand(family, true);
  AddChangeCommand(family, false);

  auto subject = std::make_shared<std::string>();  // shared with the callback
  const Command list = family.AddCommand("list",
                                         "List all grants, or the grants of one subject.\n"
                                         "  outportctl grant list group:builders");
  list.AddOption("SUBJECT", *subject, kSubjectHelp);
  list.Run(subject, List);

  auto explained = std::make_shared<ExplainAccess>();  // shared with the callback
  const Command explain =
      family.AddCommand("explain",
                        "Show which grant allows an action, or why none does.\n"
                        "  outportctl grant explain --user ci --repository team/app --action push");
  explain.AddOption("--user", explained->user, "User (default: an anonymous caller)");
  explain.AddOption("--certificate", explained->certificate, "Name in the client certificate");
  explain.AddOption("--node", explained->node,
                    "Node whose permissions apply too (default: none, as at the store)");
  explain.AddOption("--repository", explained->repository, "Name of the repository").Required();
  explain.AddOption("--action", explained->action, "Action in the repository")
      .OneOf({"pull", "push", "delete"})
      .ShowDefault();
  explain.Run(explained, Explain);
}

}  // namespace outport::control
