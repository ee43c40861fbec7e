// The methods of AdminService that are about nodes.
#include <chrono>
#include <vector>

#include "registry/records/access_records.h"
#include "store/admin/admin_service.h"
#include "store/admin/paging.h"

namespace outport::store {
namespace {

Result<std::vector<Grant>> ParseRecords(
    const google::protobuf::RepeatedPtrField<v1::Grant>& records) {
  std::vector<Grant> grants;
  for (const v1::Grant& record : records) {
    TRY(Grant grant, ParseGrantRecord(record));
    grants.push_back(std::move(grant));
  }
  return grants;
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::InviteNode(grpc::CallbackServerContext* context,
                                                   const v1::InviteNodeRequest* request,
                                                   v1::InviteNodeResponse* response) {
  auto serve = [this, request](const Administrator& caller) -> Result<v1::InviteNodeResponse> {
    TRY(const std::vector<Grant> allow, ParseRecords(request->allow()));
    const Invitations::Guest guest{
        .node = request->node(),
        .host_names = {request->host_names().begin(), request->host_names().end()},
        .lifetime = std::chrono::milliseconds(request->lifetime_ms()),
        .taken =
            request->replace() ? Invitations::TakenName::kReplace : Invitations::TakenName::kRefuse,
        .allow = allow};
    TRY(const auto invitation, parts_.fleet.invitations.Invite(guest, caller.actor));
    v1::InviteNodeResponse answer;
    answer.set_token(invitation.token);
    answer.set_expires_ms(invitation.expires_ms);
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetNode(grpc::CallbackServerContext* context,
                                                const v1::GetNodeRequest* request,
                                                v1::NodeInfo* response) {
  auto serve = [this, request](const Administrator&) -> Result<v1::NodeInfo> {
    TRY(const v1::NodeRow row, parts_.fleet.members.Find(request->name()));
    return Describe(row);
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::SetNode(grpc::CallbackServerContext* context,
                                                const v1::SetNodeRequest* request,
                                                v1::SetNodeResponse* response) {
  auto serve = [this, request](const Administrator& caller) -> Result<v1::SetNodeResponse> {
    TRY(const std::vector<Grant> allow, ParseRecords(request->allow()));
    TRY(const v1::NodeRow row, parts_.fleet.members.Allow(request->name(), allow, caller.actor));
    v1::SetNodeResponse answer;
    *answer.mutable_node() = Describe(row);
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::ListNodes(grpc::CallbackServerContext* context,
                                                  const v1::ListNodesRequest* request,
                                                  v1::ListNodesResponse* response) {
  auto serve = [this, request](const Administrator&) -> Result<v1::ListNodesResponse> {
    const v1::PageOf& asked = request->page();
    TRY(const Invitations::NodePage page,
        parts_.fleet.invitations.ListNodes(asked.after(), LimitOf(asked)));
    v1::ListNodesResponse answer;
    for (const v1::NodeRow& row : page.rows) *answer.add_nodes() = Describe(row);
    if (page.more) answer.set_next(page.rows.back().name());
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::RemoveNode(grpc::CallbackServerContext* context,
                                                   const v1::RemoveNodeRequest* request,
                                                   v1::RemoveNodeResponse* response) {
  auto serve = [this, request](const Administrator& caller) -> Result<v1::RemoveNodeResponse> {
    v1::RemoveNodeResponse answer;
    TRY(const uint64_t sequence, parts_.fleet.members.Remove(request->name(), caller.actor));
    answer.set_sequence(sequence);
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

v1::NodeInfo AdminService::Describe(const v1::NodeRow& row) const {
  v1::NodeInfo info;
  info.set_name(row.name());
  *info.mutable_host_names() = row.host_names();
  info.set_joined_ms(row.joined_ms());
  for (const Grant& grant : PermissionsOf(row).grants()) {
    *info.add_allow() = ToGrantRecord(grant);
  }
  const auto presence = parts_.fleet.connected_nodes.Find(row.name());
  if (!presence.has_value()) return info;
  info.set_connected(presence->connected);
  info.set_acknowledged_sequence(presence->acknowledged_sequence);
  info.set_last_ping_ms(presence->last_ping_ms);
  info.set_address(presence->address);
  info.set_version(presence->version);
  info.mutable_warnings()->Assign(presence->warnings.begin(), presence->warnings.end());
  return info;
}

}  // namespace outport::store
