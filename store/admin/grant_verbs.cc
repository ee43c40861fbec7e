#include "store/admin/grant_verbs.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "registry/records/access_records.h"
#include "store/admin/paging.h"

namespace outport::store {
namespace {

struct SubjectGrant {
  Subject subject;
  Grant grant;
};

Result<SubjectGrant> ParseRequest(const v1::GrantRequest& request) {
  TRY(Subject subject, ParseSubject(request.subject()));
  TRY(Grant grant, ParseGrantRecord(request.grant()));
  return SubjectGrant{std::move(subject), std::move(grant)};
}

Result<Action> ParseAction(std::string_view text) {
  constexpr std::array kActions = {Action::kPull, Action::kPush, Action::kDelete};
  const auto* found = std::ranges::find(kActions, text, [](Action a) { return ToString(a); });
  if (found != kActions.end()) return *found;
  return Error{ErrorCode::kInvalidArgument, "'" + std::string(text.substr(0, 64)) +
                                                "' is not an action: choose pull, push or delete"};
}

v1::ChangedResponse Changed(uint64_t sequence) {
  v1::ChangedResponse response;
  response.set_sequence(sequence);
  response.set_pending(sequence == 0);
  return response;
}

}  // namespace

Result<v1::ChangedResponse> GrantVerbs::Add(const v1::GrantRequest& request,
                                            const Administrator& by) const {
  TRY(const SubjectGrant parsed, ParseRequest(request));
  TRY(const uint64_t sequence, fleet_.grants.Add(parsed.subject, parsed.grant, by.actor));
  return Changed(sequence);
}

Result<v1::ChangedResponse> GrantVerbs::Remove(const v1::GrantRequest& request,
                                               const Administrator& by) const {
  TRY(const SubjectGrant parsed, ParseRequest(request));
  TRY(const uint64_t sequence, fleet_.grants.Remove(parsed.subject, parsed.grant, by.actor));
  return Changed(sequence);
}

Result<v1::ListGrantsResponse> GrantVerbs::List(const v1::ListGrantsRequest& request) const {
  const v1::PageOf& asked = request.page();
  TRY(const RowPage<v1::GrantRow> page, fleet_.grants.List(asked.after(), LimitOf(asked)));
  v1::ListGrantsResponse response;
  for (const v1::GrantRow& row : page.rows) *response.add_grants() = row;
  response.set_next(page.next);
  return response;
}

Result<std::string> GrantVerbs::WhyUnknownAt(const NodePermissions& node, const v1::NodeRow& row,
                                             const std::string& user) const {
  if (user.empty()) return std::string();
  TRY(const bool received, fleet_.members.ReceivesUser(node, user));
  if (received) return std::string();
  return "node '" + row.name() + "' does not receive user '" + user + "': the node has " +
         ToString(node.grants()) +
         ", and no grant of the user or of its groups has a repository in common with them";
}

// Makes the same checks as a request to the registry, in the same order.
Result<v1::ExplainResponse> GrantVerbs::Explain(const v1::ExplainRequest& request) const {
  TRY(const Action action, ParseAction(request.action()));
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  const AccessDirectory& directory = fleet_.follower.directory();
  const auto user = request.user().empty() ? nullptr : directory.Find(request.user());
  v1::ExplainResponse response;
  if (!request.user().empty() && user == nullptr) {
    response.set_reason("there is no user '" + request.user().substr(0, 128) + "'");
    return response;
  }
  if (user != nullptr) {
    const Result<void> login = CheckMayLogIn(*user, request.certificate(), clock_.Wall());
    if (!login.has_value()) {
      response.set_reason(login.error().message);
      return response;
    }
  }
  Rights rights = directory.RightsOf(user, request.certificate());
  if (!request.node().empty()) {
    TRY(const v1::NodeRow row, fleet_.members.Find(request.node()));
    const auto node = std::make_shared<const NodePermissions>(PermissionsOf(row));
    TRY(*response.mutable_reason(), WhyUnknownAt(*node, row, request.user()));
    if (!response.reason().empty()) return response;
    rights = rights.LimitedTo(node);
  }
  const std::optional<Rights::Rule> rule = rights.Find(action, repository);
  if (!rule.has_value()) {
    response.set_reason(RequireGrant(rights, action, repository).error().message);
    return response;
  }
  response.set_allowed(true);
  response.set_subject(ToString(rule->subject));
  *response.mutable_grant() = ToGrantRecord(rule->grant);
  return response;
}

}  // namespace outport::store
