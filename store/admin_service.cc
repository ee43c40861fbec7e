#include "store/admin_service.h"

#include <utility>

#include "registry/rpc/unary.h"
#include "store/administrator.h"
#include "store/pages.h"

namespace outport::store {
namespace {

v1::UserInfo Describe(const v1::UserRow& row, bool with_hash) {
  v1::UserInfo info;
  info.set_name(row.name());
  *info.mutable_grants() = row.grants();
  info.set_created_ms(row.created_ms());
  *info.mutable_groups() = row.groups();
  info.set_expires_ms(row.expires_ms());
  *info.mutable_only_from() = row.only_from();
  info.set_disabled(row.disabled());
  info.set_source(row.source());
  if (with_hash) info.set_password_hash(row.password_hash());
  return info;
}

}  // namespace

AdminService::AdminService(Parts parts) : parts_(std::move(parts)) {}
AdminService::~AdminService() = default;

template <class Response, class Serve>
grpc::ServerUnaryReactor* AdminService::ServeAdmin(grpc::CallbackServerContext* context,
                                                   Response* response, Serve serve) {
  const auto caller =
      RequireAdministrator(*context, parts_.domain, parts_.accounts.follower.directory());
  if (!caller.has_value()) return rpc::Refuse(context, caller.error());
  auto run = [caller = caller->actor, serve = std::move(serve)]() -> Result<Response> {
    return serve(caller);
  };
  return rpc::ServeBlocking(context, parts_.pool, response, std::move(run));
}

grpc::ServerUnaryReactor* AdminService::AddUser(grpc::CallbackServerContext* context,
                                                const v1::AddUserRequest* request,
                                                v1::AddUserResponse* response) {
  auto serve = [this, request](const Actor& caller) -> Result<v1::AddUserResponse> {
    v1::UserRow row;
    row.set_name(request->name());
    row.set_password_hash(request->password_hash());
    *row.mutable_grants() = request->grants();
    *row.mutable_groups() = request->groups();
    row.set_expires_ms(request->expires_ms());
    *row.mutable_only_from() = request->only_from();
    row.set_disabled(request->disabled());
    v1::AddUserResponse answer;
    TRY(const uint64_t sequence, parts_.accounts.users.Add(row, caller));
    answer.set_sequence(sequence);
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::ListUsers(grpc::CallbackServerContext* context,
                                                  const v1::ListUsersRequest* request,
                                                  v1::ListUsersResponse* response) {
  auto serve = [this, request](const Actor&) -> Result<v1::ListUsersResponse> {
    const v1::PageOf& asked = request->page();
    TRY(const Users::Page page, parts_.accounts.users.List(asked.after(), LimitOf(asked)));
    v1::ListUsersResponse answer;
    for (const v1::UserRow& row : page.rows) {
      *answer.add_users() = store::Describe(row, request->with_password_hashes());
    }
    if (page.more) answer.set_next(page.rows.back().name());
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::RemoveUser(grpc::CallbackServerContext* context,
                                                   const v1::RemoveUserRequest* request,
                                                   v1::RemoveUserResponse* response) {
  auto serve = [this, request](const Actor& caller) -> Result<v1::RemoveUserResponse> {
    v1::RemoveUserResponse answer;
    TRY(const uint64_t sequence, parts_.accounts.users.Remove(request->name(), caller));
    answer.set_sequence(sequence);
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::IssueCertificate(grpc::CallbackServerContext* context,
                                                         const v1::IssueCertificateRequest* request,
                                                         v1::IssueCertificateResponse* response) {
  auto serve = [this, request](const Actor& caller) -> Result<v1::IssueCertificateResponse> {
    TRY(const Role role, ParseRole(request->role()));
    TRY(const Certificates::Issued issued,
        parts_.accounts.certificates.Issue(role, request->name(), request->request(),
                                           request->days(), caller));
    v1::IssueCertificateResponse answer;
    answer.set_certificate(issued.chain);
    answer.set_authorities(issued.authorities);
    *answer.mutable_row() = issued.row;
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::ListCertificates(grpc::CallbackServerContext* context,
                                                         const v1::ListCertificatesRequest* request,
                                                         v1::ListCertificatesResponse* response) {
  auto serve = [this, request](const Actor&) -> Result<v1::ListCertificatesResponse> {
    const v1::PageOf& asked = request->page();
    TRY(const Certificates::Page page,
        parts_.accounts.certificates.List(asked.after(), LimitOf(asked)));
    v1::ListCertificatesResponse answer;
    for (const v1::CertificateInfo& one : page.certificates) *answer.add_certificates() = one;
    answer.set_next(page.next);
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetCertificate(grpc::CallbackServerContext* context,
                                                       const v1::GetCertificateRequest* request,
                                                       v1::CertificateInfo* response) {
  auto serve = [this, request](const Actor&) -> Result<v1::CertificateInfo> {
    return parts_.accounts.certificates.Find(request->serial());
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetAuthorities(grpc::CallbackServerContext* context,
                                                       const v1::GetAuthoritiesRequest* /*request*/,
                                                       v1::GetAuthoritiesResponse* response) {
  auto serve = [this](const Actor&) -> Result<v1::GetAuthoritiesResponse> {
    v1::GetAuthoritiesResponse answer;
    const pki::Authority& authority = parts_.accounts.certificates.authority();
    answer.set_root(authority.root.certificate);
    answer.set_issuing(authority.issuing.certificate);
    std::error_code ignored;
    const std::filesystem::path root_key = parts_.data / "pki" / "root.key";
    answer.set_root_key_here(std::filesystem::exists(root_key, ignored));
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::InviteNode(grpc::CallbackServerContext* context,
                                                   const v1::InviteNodeRequest* request,
                                                   v1::InviteNodeResponse* response) {
  auto serve = [this, request](const Actor& caller) -> Result<v1::InviteNodeResponse> {
    const std::vector<std::string> hosts(request->host_names().begin(),
                                         request->host_names().end());
    TRY(const Invitations::Invitation invitation,
        parts_.accounts.invitations.Invite(
            request->node(), hosts, std::chrono::milliseconds(request->lifetime_ms()), caller,
            request->replace() ? Invitations::TakenName::kReplace
                               : Invitations::TakenName::kRefuse));
    v1::InviteNodeResponse answer;
    answer.set_token(invitation.token);
    answer.set_expires_ms(invitation.expires_ms);
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::ListNodes(grpc::CallbackServerContext* context,
                                                  const v1::ListNodesRequest* request,
                                                  v1::ListNodesResponse* response) {
  auto serve = [this, request](const Actor&) -> Result<v1::ListNodesResponse> {
    const v1::PageOf& asked = request->page();
    TRY(const Invitations::NodePage page,
        parts_.accounts.invitations.ListNodes(asked.after(), LimitOf(asked)));
    v1::ListNodesResponse answer;
    for (const v1::NodeRow& row : page.rows) *answer.add_nodes() = Describe(row);
    if (page.more) answer.set_next(page.rows.back().name());
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::RemoveNode(grpc::CallbackServerContext* context,
                                                   const v1::RemoveNodeRequest* request,
                                                   v1::RemoveNodeResponse* response) {
  auto serve = [this, request](const Actor& caller) -> Result<v1::RemoveNodeResponse> {
    v1::RemoveNodeResponse answer;
    TRY(const uint64_t sequence, parts_.accounts.members.Remove(request->name(), caller));
    parts_.nodes.Cut(request->name());
    answer.set_sequence(sequence);
    return answer;
  };
  return ServeAdmin(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::GetStatusRequest* /*request*/,
                                                  v1::GetStatusResponse* response) {
  return ServeAdmin(context, response, [this](const Actor&) { return Status(); });
}

v1::NodeInfo AdminService::Describe(const v1::NodeRow& row) const {
  v1::NodeInfo info;
  info.set_name(row.name());
  *info.mutable_host_names() = row.host_names();
  info.set_joined_ms(row.joined_ms());
  const auto presence = parts_.nodes.Find(row.name());
  if (!presence.has_value()) return info;
  info.set_connected(presence->connected);
  info.set_acknowledged_sequence(presence->acknowledged_sequence);
  info.set_last_ping_ms(presence->last_ping_ms);
  info.set_address(presence->address);
  info.set_version(presence->version);
  info.mutable_warnings()->Assign(presence->warnings.begin(), presence->warnings.end());
  return info;
}

// The first nodes by name, as many as a page holds: ListNodes has the others.
Result<v1::GetStatusResponse> AdminService::Status() const {
  v1::GetStatusResponse answer;
  answer.set_version(parts_.version);
  answer.set_epoch(parts_.epoch);
  answer.set_started_ms(parts_.started_ms);
  TRY(const LogPosition head, parts_.meta.Head());
  answer.set_head_sequence(head.sequence);
  TRY(const uint64_t free_bytes, parts_.files.FreeBytes(parts_.data));
  answer.set_free_bytes(free_bytes);
  TRY(const Invitations::NodePage page, parts_.accounts.invitations.ListNodes("", kMaxPageOfRows));
  for (const v1::NodeRow& row : page.rows) *answer.add_nodes() = Describe(row);
  TRY(const CertificateIdentity server, pki::Inspect(parts_.server_certificate));
  answer.set_server_certificate_name(server.name);
  TRY(const auto not_after, pki::NotAfter(parts_.server_certificate));
  answer.set_server_certificate_not_after_ms(ToUnixMillis(not_after));
  for (std::string& warning : parts_.warnings()) answer.add_warnings(std::move(warning));
  return answer;
}

}  // namespace outport::store
