#include "store/admin/node_verbs.h"

#include <chrono>
#include <utility>
#include <vector>

#include "registry/records/access_records.h"
#include "registry/records/keys.h"
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

Result<v1::InviteNodeResponse> NodeVerbs::Invite(const v1::InviteNodeRequest& request,
                                                 const Administrator& by) const {
  TRY(std::vector<Grant> allow, ParseRecords(request.allow()));
  const Invitations::Options options{
      .node = request.node(),
      .host_names = {request.host_names().begin(), request.host_names().end()},
      .lifetime = std::chrono::milliseconds(request.lifetime_ms()),
      .existing = request.replace() ? Invitations::ExistingNode::kReplace
                                    : Invitations::ExistingNode::kReject,
      .allow = std::move(allow)};
  TRY(const auto invitation, fleet_.invitations.Invite(options, by.actor));
  v1::InviteNodeResponse response;
  response.set_token(invitation.token);
  response.set_expires_ms(invitation.expires_ms);
  return response;
}

Result<v1::NodeInfo> NodeVerbs::Get(const v1::GetNodeRequest& request) const {
  TRY(const v1::NodeRow row, fleet_.members.Find(request.name()));
  v1::NodeInfo info = Describe(row);
  TRY(const int64_t reported_ms, fleet_.members.PullsReportedMs(request.name()));
  info.set_pulls_reported_ms(reported_ms);
  return info;
}

Result<v1::SetNodeResponse> NodeVerbs::Set(const v1::SetNodeRequest& request,
                                           const Administrator& by) const {
  TRY(const std::vector<Grant> allow, ParseRecords(request.allow()));
  TRY(const v1::NodeRow row, fleet_.members.Allow(request.name(), allow, by.actor));
  v1::SetNodeResponse response;
  *response.mutable_node() = Describe(row);
  response.set_pending(fleet_.follower.pending().Contains(keys::Node(request.name())));
  return response;
}

Result<v1::ListNodesResponse> NodeVerbs::List(const v1::ListNodesRequest& request) const {
  const v1::PageOf& asked = request.page();
  TRY(const RowPage<v1::NodeRow> page, fleet_.members.List(asked.after(), LimitOf(asked)));
  v1::ListNodesResponse response;
  for (const v1::NodeRow& row : page.rows) *response.add_nodes() = Describe(row);
  response.set_next(page.next);
  return response;
}

Result<v1::RemoveNodeResponse> NodeVerbs::Remove(const v1::RemoveNodeRequest& request,
                                                 const Administrator& by) const {
  v1::RemoveNodeResponse response;
  TRY(const uint64_t sequence, fleet_.members.Remove(request.name(), by.actor));
  response.set_sequence(sequence);
  response.set_pending(fleet_.follower.pending().Contains(keys::Node(request.name())));
  return response;
}

v1::NodeInfo NodeVerbs::Describe(const v1::NodeRow& row) const {
  v1::NodeInfo info;
  info.set_name(row.name());
  *info.mutable_host_names() = row.host_names();
  info.set_joined_ms(row.joined_ms());
  for (const Grant& grant : PermissionsOf(row).grants()) {
    *info.add_allow() = ToGrantRecord(grant);
  }
  const auto presence = fleet_.connected_nodes.Find(row.name());
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
