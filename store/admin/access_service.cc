#include "store/admin/access_service.h"

#include <algorithm>
#include <array>
#include <utility>

#include "registry/records/access_records.h"
#include "store/admin/paging.h"

namespace outport::store {
namespace {

struct Asked {
  Subject subject;
  Grant grant;
};

Result<Asked> ParseAsked(const v1::GrantRequest& request) {
  TRY(Subject subject, ParseSubject(request.subject()));
  TRY(Grant grant, ParseGrantRecord(request.grant()));
  return Asked{std::move(subject), std::move(grant)};
}

Result<Action> ParseAction(std::string_view text) {
  constexpr std::array kActions = {Action::kPull, Action::kPush, Action::kDelete};
  const auto* found = std::ranges::find(kActions, text, [](Action a) { return ToString(a); });
  if (found != kActions.end()) return *found;
  return Error{ErrorCode::kInvalidArgument, "'" + std::string(text.substr(0, 64)) +
                                                "' is no action: choose pull, push or delete"};
}

void Edit(const v1::UpdateUserRequest& request, v1::UserRow& row) {
  if (request.has_password_hash()) row.set_password_hash(request.password_hash());
  if (request.has_disabled()) row.set_disabled(request.disabled());
  if (request.has_expires_ms()) row.set_expires_ms(request.expires_ms());
  if (request.has_groups()) *row.mutable_groups() = request.groups().names();
  if (request.has_only_from()) *row.mutable_only_from() = request.only_from().names();
}

std::string NameOf(const v1::UpdateUserRequest& request) {
  if (request.has_password_hash()) return "user.passwd";
  if (request.has_disabled()) return request.disabled() ? "user.disable" : "user.enable";
  return request.has_groups() ? "user.groups" : "user.change";
}

v1::ChangedResponse Changed(uint64_t sequence) {
  v1::ChangedResponse response;
  response.set_sequence(sequence);
  return response;
}

}  // namespace

AccessService::AccessService(Parts parts) : parts_(std::move(parts)) {}
AccessService::~AccessService() = default;

grpc::ServerUnaryReactor* AccessService::UpdateUser(grpc::CallbackServerContext* context,
                                                    const v1::UpdateUserRequest* request,
                                                    v1::ChangedResponse* response) {
  auto serve = [this, request](const Administrator& by) -> Result<v1::ChangedResponse> {
    auto edit = [request](v1::UserRow& row) -> Result<void> {
      if (request->has_password_hash()) TRY_VOID(RequireOwn(row));
      Edit(*request, row);
      return {};
    };
    TRY(const uint64_t sequence,
        parts_.fleet.users.Update(request->name(), edit, NameOf(*request), by.actor));
    return Changed(sequence);
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AccessService::AddGrant(grpc::CallbackServerContext* context,
                                                  const v1::GrantRequest* request,
                                                  v1::ChangedResponse* response) {
  auto serve = [this, request](const Administrator& by) -> Result<v1::ChangedResponse> {
    TRY(const Asked asked, ParseAsked(*request));
    TRY(const uint64_t sequence, parts_.fleet.grants.Add(asked.subject, asked.grant, by.actor));
    return Changed(sequence);
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AccessService::RemoveGrant(grpc::CallbackServerContext* context,
                                                     const v1::GrantRequest* request,
                                                     v1::ChangedResponse* response) {
  auto serve = [this, request](const Administrator& by) -> Result<v1::ChangedResponse> {
    TRY(const Asked asked, ParseAsked(*request));
    TRY(const uint64_t sequence, parts_.fleet.grants.Remove(asked.subject, asked.grant, by.actor));
    return Changed(sequence);
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AccessService::ListGrants(grpc::CallbackServerContext* context,
                                                    const v1::ListGrantsRequest* request,
                                                    v1::ListGrantsResponse* response) {
  auto serve = [this, request](const Administrator&) -> Result<v1::ListGrantsResponse> {
    const v1::PageOf& asked = request->page();
    TRY(const Grants::Page page, parts_.fleet.grants.List(asked.after(), LimitOf(asked)));
    v1::ListGrantsResponse answer;
    for (const v1::GrantRow& row : page.rows) *answer.add_grants() = row;
    if (page.more) answer.set_next(page.rows.back().subject());
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AccessService::Explain(grpc::CallbackServerContext* context,
                                                 const v1::ExplainRequest* request,
                                                 v1::ExplainResponse* response) {
  auto serve = [this, request](const Administrator&) { return Explained(*request); };
  return ServeAdministrator(Gate(), context, response, serve);
}

Result<std::string> AccessService::WhyUnknownAt(const NodePermissions& node, const v1::NodeRow& row,
                                                const std::string& user) const {
  if (user.empty()) return std::string();
  TRY(const bool known, parts_.fleet.members.IsToldOf(node, user));
  if (known) return std::string();
  return "node '" + row.name() + "' is not told of user '" + user + "': it has " +
         ToString(node.grants()) + ", and no grant of the user or its groups is within that";
}

// In the order in which a request would be refused.
Result<v1::ExplainResponse> AccessService::Explained(const v1::ExplainRequest& request) const {
  TRY(const Action action, ParseAction(request.action()));
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  const AccessDirectory& directory = parts_.fleet.follower.directory();
  const auto user = request.user().empty() ? nullptr : directory.Find(request.user());
  v1::ExplainResponse answer;
  if (!request.user().empty() && user == nullptr) {
    answer.set_reason("there is no user '" + request.user().substr(0, 128) + "'");
    return answer;
  }
  if (user != nullptr) {
    const Result<void> enters = CheckMayEnter(*user, request.certificate(), parts_.clock.Wall());
    if (!enters.has_value()) {
      answer.set_reason(enters.error().message);
      return answer;
    }
  }
  Rights rights = directory.RightsOf(user, request.certificate());
  if (!request.node().empty()) {
    TRY(const v1::NodeRow row, parts_.fleet.members.Find(request.node()));
    const auto node = std::make_shared<const NodePermissions>(PermissionsOf(row));
    TRY(*answer.mutable_reason(), WhyUnknownAt(*node, row, request.user()));
    if (!answer.reason().empty()) return answer;
    rights = rights.Within(node);
  }
  const std::optional<Rights::Rule> rule = rights.Find(action, repository);
  if (!rule.has_value()) {
    answer.set_reason(RequireGrant(rights, action, repository).error().message);
    return answer;
  }
  answer.set_allowed(true);
  answer.set_subject(ToString(rule->subject));
  *answer.mutable_grant() = ToGrantRecord(rule->grant);
  return answer;
}

grpc::ServerUnaryReactor* AccessService::RevokeCertificate(
    grpc::CallbackServerContext* context, const v1::RevokeCertificateRequest* request,
    v1::RevokeCertificateResponse* response) {
  auto serve = [this, request](const Administrator& by) -> Result<v1::RevokeCertificateResponse> {
    TRY(const Certificates::Revoked revoked,
        parts_.fleet.certificates.Revoke(request->serial(), by.certificate, by.actor));
    v1::RevokeCertificateResponse answer;
    answer.set_sequence(revoked.sequence);
    *answer.mutable_certificate() = revoked.row;
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

}  // namespace outport::store
